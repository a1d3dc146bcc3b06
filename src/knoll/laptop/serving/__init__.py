"""KServe and Knative Serving on a laptop. The words are theirs:

InferenceService  the document that says which model is served, `isvc` for short (`inference_services`)
Revision          the document that holds one version of its template (`revisions`, `plan`, `status`)
Traffic           how requests are split between two Revisions (`traffic`)
Replica           the child process of one Revision, a Pod on a cluster (`replica`)
Activator         holds requests while the replica of their Revision starts (`activator`)
Autoscaler        starts and stops replicas, down to zero (`autoscaler`)
Gateway           the HTTP paths that lead a request to a replica (`gateway`, `route`, `proxy`)
"""

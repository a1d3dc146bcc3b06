"""KServe and Knative Serving on a laptop. The words are theirs:

InferenceService  the document that says which model is served (`inference_services`)
Revision          the document that holds one version of its template (`revisions`)
Traffic           how requests are split between revisions (`traffic`)
Instance          the child process of one revision, a Pod on a cluster (`instance`)
Autoscaler        starts and stops instances, down to zero (`autoscaler`)
Gateway           the HTTP routes that lead requests to a revision (`gateway`)
"""

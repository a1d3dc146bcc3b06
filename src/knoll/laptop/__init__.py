"""The work of Kubernetes, Knative and KServe, on one machine and without them."""

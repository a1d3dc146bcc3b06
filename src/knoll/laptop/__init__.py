"""What Kubernetes, Knative and KServe do on a cluster, on one machine and without them."""

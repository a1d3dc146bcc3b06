"""What Kubernetes documents have in common: labels, annotations, owners, security contexts."""

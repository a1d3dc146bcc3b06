"""What Kubernetes documents have in common: labels, owners, conditions, quantities, security contexts."""

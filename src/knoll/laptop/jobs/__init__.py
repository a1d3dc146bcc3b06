"""Kubernetes Jobs on a laptop: each attempt is a child process where a cluster has a Pod."""

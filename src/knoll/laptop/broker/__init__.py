"""Knative Eventing on a laptop: Broker, Triggers, PingSources and dead letters, in one process."""

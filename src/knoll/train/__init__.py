"""From a landed dataset to a model version: run records, Jobs, and the trainer inside the Job."""

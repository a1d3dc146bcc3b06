"""The process in a training Job: it reads the data, trains, scores, exports and publishes a version."""

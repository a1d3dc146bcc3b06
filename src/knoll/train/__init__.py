"""The train function: exactly one Job for each run that ingest has opened. It never needs torch."""

"""From a dataset to a Job: turns (`turns.py`), and exactly one Job for each run that ingest has opened. It
never needs torch."""

"""Data lands in a bucket, a trained model answers."""

__version__ = "0.3.0"

"""Retention: which versions and records are superfluous, and how they are removed without harm to what
serves."""

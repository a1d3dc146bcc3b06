"""Retention: what has become superfluous in the model bucket, and how it is removed without ever hurting what
is served."""

"""The records of the model bucket: one module for each kind, with its schema, its place, its reads and its
writes."""

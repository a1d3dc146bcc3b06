"""What lies in the model bucket: one module for each kind of record, with its schema, its place, and how it
is read and written."""

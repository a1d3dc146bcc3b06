"""Which adapter stands behind which port, and the entry points of all processes."""

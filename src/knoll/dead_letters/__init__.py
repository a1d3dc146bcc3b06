"""From an event that nobody took to an object that somebody can read."""

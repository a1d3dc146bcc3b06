"""Ports in memory, with the rules of the real ones: for tests, and for thousands of worlds at once."""

"""Sounds: WAV and FLAC as numbers, and back. `header` and `limits` need no library."""

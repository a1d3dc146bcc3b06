"""How large a sound may be. What is larger is refused before it takes memory; `docs/sounds.md` has these
numbers."""

__all__ = [
    "FULL_SCALE",
    "HIGHEST_RATE",
    "LOWEST_RATE",
    "MOST_CHANNELS",
    "MOST_CHUNKS",
    "MOST_RATIO",
    "MOST_SECONDS",
    "MOST_SECONDS_OF_ALL",
    "RATIO_FROM",
]

LOWEST_RATE, HIGHEST_RATE = 1_000, 192_000  # Hz
MOST_SECONDS = 600  # of a file
MOST_SECONDS_OF_ALL = 1_000 * 3600  # of all files together
MOST_CHANNELS = 8  # FLAC has no more
MOST_CHUNKS = 1_000  # parts of a file, of which sound is one
MOST_RATIO = 1_000  # bytes that a byte of FLAC unpacks to
RATIO_FROM = 16 * 2**20  # bytes; what unpacks to less may be silence
FULL_SCALE = 8.0  # most that a sample of floats may have; 1 is full

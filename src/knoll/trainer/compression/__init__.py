"""Smaller or faster graphs, made of a finished training, that may be served in place of the exported one.

One of them is served only if it loses no more than the Model allows, and is faster on the CPU of this Job.
What cannot be made is left out, with the reason: it must not end a finished training.
"""

from knoll.trainer.compression.subject import Subject
from knoll.trainer.compression.trial import Compressed, compress

__all__ = ["Compressed", "Subject", "compress"]

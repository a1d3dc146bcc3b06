"""The file of one picture, which Pillow decodes part by part as it reads it: between two parts, the decoding
can be ended."""

import io
from bisect import bisect_right
from collections.abc import Callable, Sequence

__all__ = ["RasterFile"]


class RasterFile(io.BytesIO):
    """The bytes of a picture."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._check: Callable[[], None] = lambda: None
        self._stops: Sequence[int] = ()

    def watch(self, check: Callable[[], None], stops: Sequence[int]) -> None:
        """From now on, call `check` before each part, and end a part at each of the places `stops`, which
        rise.

        A part has 64 KiB. Without the stops it could hold hundreds of scans of a JPEG, each of which passes
        over all pixels.
        """
        self._check, self._stops = check, stops

    def read(self, size: int | None = -1) -> bytes:
        """The next part. Raises what the check raises."""
        self._check()
        place = self.tell()
        following = bisect_right(self._stops, place)
        if following < len(self._stops) and size is not None and size > 0:
            size = min(size, self._stops[following] - place)
        return super().read(size)

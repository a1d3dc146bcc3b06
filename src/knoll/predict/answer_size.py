"""How large an answer may be, and what it takes."""

from collections.abc import Collection, Mapping

from knoll.codecs import Array
from knoll.errors import InvalidInstance

__all__ = ["memory_of"]

_MOST_NUMBERS = 4_000_000  # of one answer in JSON
_MOST_DENSE = 32_000_000  # of it in pictures and binary tensors
_NUMBER, _DENSE = 100, 16  # bytes of memory that each takes until it is sent


def memory_of(outputs: Mapping[str, Array], instances: int, dense: Collection[str]) -> int:
    """The bytes that an answer for so many instances takes until it is sent. `outputs` are those of some of
    them; of the outputs `dense` the answer has bytes, of the others JSON. Raises InvalidInstance if it is too
    large."""
    sizes: dict[str, int] = {name: batch[0].size * instances for name, batch in outputs.items()}
    most = sum(size for name, size in sizes.items() if name in dense)
    numbers = sum(sizes.values()) - most
    if numbers > _MOST_NUMBERS or most > _MOST_DENSE:
        raise InvalidInstance(
            f"the answer would have {numbers + most:,} numbers", fix="send fewer instances at a time"
        )
    return _NUMBER * numbers + _DENSE * most

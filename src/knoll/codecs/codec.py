"""One kind of codec: all that differs between the kinds, as one value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from knoll.codecs.arrays import Array, Warn
from knoll.codecs.reading import Reading
from knoll.records.signature import Tensor

__all__ = ["Codec", "Draw"]

Draw = Callable[[Array, Tensor], Image.Image]


@dataclass(frozen=True)
class Codec:
    """A kind by the name that signatures have for it. Without `decode` no input has it, without `encode` no
    output.

    Of an input:

    - `decode(value, tensor, reading)`: a value of JSON -> its row of the tensor. Raises InvalidInstance, and
      what `reading` raises.
    - `example(tensor)`: a value that is right; None if only a large one would be.
    - `usual`: the least and the greatest number that a tensor of it usually has; None if that depends on the
      data.
    - `fitted(batch, tensor, warn)`: a batch of V2, of the shape of the tensor, as the graph takes it. Raises
      InvalidInstance for what `decode` never makes.
    - `is_noise`: whether clients draw its numbers by chance, so that they say nothing of the data.
    - `parts(value, tensor, reading)`: the name of each part of a value, and the row of the value without it;
      None if values have no parts.
    - `shell`: a value of JSON within double quotes of a shell, if a file of the caller has its content.

    Of an output:

    - `encode(batch, tensor)`: rows of the tensor -> values of JSON.
    - `draw(row, tensor)`: the row as a picture; None if it is none.
    - `has_bare_numbers`: whether its numbers are the answer itself.
    """

    name: str
    decode: Callable[[Any, Tensor, Reading], Array] | None = None
    example: Callable[[Tensor], Any] = lambda _: None
    usual: tuple[float, float] | None = None
    fitted: Callable[[Array, Tensor, Warn], Array] = lambda batch, *_: batch
    is_noise: bool = False
    parts: Callable[[Any, Tensor, Reading], Iterable[tuple[str, Array]]] | None = None
    shell: str = ""
    encode: Callable[[Array, Tensor], list[Any]] | None = None
    draw: Draw | None = None
    has_bare_numbers: bool = False

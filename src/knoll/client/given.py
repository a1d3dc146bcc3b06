"""What is given to predict, as a V1 request: files, pictures, numbers, text, and objects of these.

A list is a batch, but a list of numbers is one instance. A text with the ending of a picture or of JSON is
the path of a file; any other text is sent as it is.
"""

import base64
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knoll.data_kinds import PICTURES, is_text
from knoll.errors import InvalidData, InvalidEvent, InvalidInstance, NotFound
from knoll.events.foreign import read_json
from knoll.foreign_kinds import is_picture
from knoll.json_faults import why_unwritable
from knoll.quantities import in_words
from knoll.quoting import escaped
from knoll.request_limits import BODY_LIMIT
from knoll.tables import read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["are_pixels", "batch_of", "bounded", "is_pil", "is_table", "of_bytes", "of_seed", "v1_body"]

_FILES = (*PICTURES, ".json")
_NUMBERS = (int, float)


def of_bytes(name: str, body: bytes) -> dict[str, Any]:
    """The request for a PNG, a JPEG, JSON, or a text, if the name says so. Raises InvalidData for anything
    else, and for JSON that readers understand in several ways, such as with a key that comes twice."""
    if is_picture(body):
        return {"instances": [_encoded_picture(body)]}
    if is_text(name):
        return {"instances": [_text_of(name, body)]}
    try:
        given = read_json(_text(body), f"{name}: it is neither a PNG nor a JPEG, and")
    except InvalidEvent as error:
        raise InvalidData(str(error), fix="give a picture, a text as .txt, or JSON instances") from error
    if isinstance(given, dict) and "instances" in given:
        return given
    return {"instances": given if isinstance(given, list) else [given]}


def of_seed(seed: int) -> dict[str, Any]:
    """The request for a generated picture; the same seed gives the same picture."""
    return {"instances": [{"seed": seed}]}


def batch_of(given: Any) -> list[Any]:
    """The instances before they are read: the parts of a list, or the one that is given. Raises
    InvalidInstance."""
    if is_table(given):
        return _rows(given)
    if not isinstance(given, list | tuple):
        return [given]
    if not given:
        raise InvalidInstance("an empty list holds nothing to predict", fix="give at least one instance")
    is_row = all(isinstance(one, _NUMBERS) or _is_number(one) for one in given)
    return [list(given)] if is_row else list(given)


def v1_body(given: Any) -> bytes:
    """The request. Raises InvalidInstance, InvalidData, and NotFound for a missing file."""
    instances = [instance for one in batch_of(given) for instance in _instances(one)]
    try:
        text = json.dumps({"instances": instances}, default=_plain, allow_nan=False)
    except (RecursionError, TypeError, ValueError) as error:
        raise InvalidInstance(
            f"it cannot be sent as JSON: {why_unwritable(error)}",
            fix="give texts, finite numbers, and lists and dicts of them with texts as keys",
        ) from error
    return bounded(text.encode())


def bounded(body: bytes) -> bytes:
    """The body of a request. Raises InvalidInstance if no predictor would read it."""
    if len(body) > BODY_LIMIT:
        raise InvalidInstance(
            f"the request has {in_words(len(body))}, more than {in_words(BODY_LIMIT)}",
            fix="send fewer instances at a time, or smaller pictures",
        )
    return body


def is_pil(given: Any) -> bool:
    """Whether it is a picture of Pillow, which is not imported for this."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(given, pillow.Image)


def is_table(given: Any) -> bool:
    """Whether it is a DataFrame of pandas, or a row of one, a Series."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(given, (pandas.DataFrame, pandas.Series))


def are_pixels(array: "NDArray[Any]") -> bool:
    """Whether these are bytes as [height, width], or [height, width, 3], or 4 with the opacity."""
    is_colour = array.ndim == 3 and array.shape[2] in (3, 4)
    return array.dtype == "uint8" and array.size > 0 and (array.ndim == 2 or is_colour)


def _text_of(name: str, body: bytes) -> str:
    try:
        return read_text(body)
    except InvalidData as error:
        raise InvalidData(f"{name}: {error}", fix=error.fix) from error


def _instances(one: Any) -> list[Any]:
    """One, or those of a file."""
    if isinstance(one, str) and one.lower().endswith(_FILES):
        one = Path(one)
    if not isinstance(one, Path | bytes | bytearray | memoryview):
        return [one]
    name = escaped(str(one)) if isinstance(one, Path) else "the bytes"
    found = of_bytes(name, _read(one) if isinstance(one, Path) else bytes(one))["instances"]
    return found if isinstance(found, list) else [found]


def _rows(table: Any) -> list[Any]:
    """An object of values by column for each row; a value that is missing there is null."""
    values = table.astype(object).where(table.notna(), None)
    return [values.to_dict()] if table.ndim == 1 else list(values.to_dict("records"))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return bounded(file.read(BODY_LIMIT + 1))
    except FileNotFoundError as error:
        raise NotFound(
            f"{escaped(str(path))}: there is no such file", fix='give a text in an object: {"text": "a.png"}'
        ) from error
    except OSError as error:
        raise InvalidData(f"{escaped(str(path))}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidData(f"{escaped(str(path))}: this can be no path", fix="see how it is made") from error


def _plain(one: Any) -> Any:
    """A part of a request for which JSON has no form of its own."""
    if isinstance(one, Path | bytes | bytearray | memoryview):
        (found, *more) = _instances(one)
        if more:
            raise InvalidInstance("a file with several instances is no part of one", fix="give it alone")
        return found
    if is_pil(one):
        return _encoded_picture(_png(one))
    if hasattr(one, "__array__"):
        return _from_array(one)
    raise InvalidInstance(
        f"a value of the type {type(one).__name__} cannot be sent",
        fix="give a path, bytes, a picture, numbers, or a dict",
    )


def _from_array(given: Any) -> Any:
    """Pixels as PNG, other numbers as nested lists."""
    import numpy as np

    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise InvalidInstance(f"an array of {array.dtype} holds no numbers", fix="give numbers")
    if are_pixels(array):
        from PIL import Image

        return _encoded_picture(_png(Image.fromarray(array)))
    return array.tolist()


def _png(picture: Any) -> bytes:
    """Without loss; a mode that PNG does not have becomes RGB. Raises InvalidInstance if it has no pixels, or
    its file, which Pillow reads here, is broken."""
    body = io.BytesIO()
    has_mode = picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    try:
        (picture if has_mode else picture.convert("RGB")).save(body, "PNG")
    except (OSError, SyntaxError, SystemError, ValueError) as error:
        raise InvalidInstance(
            "a picture of {}x{} pixels cannot be made a PNG".format(*picture.size),
            fix="give one with pixels, of a file that is whole",
        ) from error
    return body.getvalue()


def _encoded_picture(body: bytes) -> Mapping[str, str]:
    return {"b64": base64.b64encode(body).decode()}


def _is_number(one: Any) -> bool:
    """Whether it is one number of numpy."""
    return hasattr(one, "__array__") and not is_pil(one) and getattr(one, "shape", None) == ()


def _text(body: bytes) -> bytes | str:
    """The text of JSON as editors save it: in UTF-8 or UTF-16, also with a byte order mark."""
    try:
        return body.decode(json.detect_encoding(body))
    except UnicodeDecodeError:
        return body

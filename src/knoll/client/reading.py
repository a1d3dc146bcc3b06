"""One prediction as a label, probabilities, a picture or an array."""

import base64
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from knoll.errors import KnollError
from knoll.json_faults import why_not_json
from knoll.quoting import escaped

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["array_of", "kind_of", "picture_bytes", "picture_of", "predictions_in", "probabilities_of"]

_SHOWN = 5  # keys of an object


def predictions_in(body: bytes, content_type: str) -> list[Any]:
    """The predictions of a V1 answer; a picture as base64, as in JSON. Raises KnollError if it is no JSON."""
    if content_type.startswith("image/"):
        return [{"b64": base64.b64encode(body).decode()}]
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        why = why_not_json(body)
        raise KnollError(
            f"the answer is not JSON: {why}", fix="see that the URL is that of a platform or a predictor"
        ) from error
    found = document.get("predictions", document) if isinstance(document, dict) else document
    return found if isinstance(found, list) else [found]


def picture_bytes(prediction: Any) -> bytes:
    """The file of a picture in JSON; empty if there is none."""
    encoded = prediction.get("b64") if isinstance(prediction, Mapping) else None
    if isinstance(encoded, str) and encoded:
        with suppress(ValueError):
            return base64.b64decode(encoded)
    return b""


def probabilities_of(raw: Any) -> Mapping[str, float] | None:
    """The probability of each label; None if it has none."""
    found = raw.get("probabilities") if isinstance(raw, Mapping) else None
    return found if isinstance(found, Mapping) and found else None


def picture_of(raw: Any, bounds: tuple[float, float] | None) -> "Image | None":
    """The picture; None if it is none. A tensor (C, H, W) is one if the answer says the numbers of black and
    white, its `bounds`."""
    if file := picture_bytes(raw):
        from PIL import Image

        return Image.open(io.BytesIO(file))
    if bounds is None or not hasattr(raw, "transpose"):
        return None
    from knoll.codecs.picture import shown_tensor

    return shown_tensor(raw, *bounds)


def array_of(raw: Any) -> "NDArray[Any] | None":
    """The numbers: a tensor, the pixels (H, W, C) of a picture, or the probabilities in the order of the
    labels. None if there are none."""
    import numpy as np

    if (probabilities := probabilities_of(raw)) is not None:
        raw = [*probabilities.values()]
    elif picture := picture_of(raw, None):
        raw = picture
    try:
        array = np.asarray(raw)
    except ValueError:  # lists of different lengths
        return None
    return array if array.dtype.kind in "biuf" else None


def kind_of(raw: Any) -> str:
    """What it is, with an article."""
    if (probabilities := probabilities_of(raw)) is not None:
        return f"a label of {len(probabilities)} classes"
    if picture_bytes(raw):
        return "a picture"
    if isinstance(raw, Mapping):
        return f"an object with {', '.join(escaped(str(key)) for key in list(raw)[:_SHOWN]) or 'nothing'}"
    if hasattr(raw, "dtype"):
        return f"an array of {raw.dtype} with the shape {list(raw.shape)}"
    kinds = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return kinds.get(type(raw), "null")

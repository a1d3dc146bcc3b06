"""What a model has answered, as values: one prediction, and all of an answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload

from knoll.client.reading import array_of, kind_of, picture_of, predictions_in, probabilities_of
from knoll.client.tensors import Batches, Meanings
from knoll.errors import KnollError
from knoll.headers import CONTENT_TYPE, PREDICTION, SERVER_TIMING, VERSION, WARNINGS
from knoll.server_timing import read_timing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["Prediction", "PredictionList", "from_tensors", "from_v1"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Origin:
    """Where an answer comes from: `version` answered. `id` is that of the whole answer, for feedback; "" if
    it has none. `cold` has the seconds of each part of the start that the request has waited for; it is empty
    if the model was awake. `warnings` say what was converted of the request."""

    version: str
    id: str
    cold: Mapping[str, float]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Prediction(_Origin):
    """The prediction for one instance; `raw` is what the model answered. `bounds` are the numbers of black
    and white, if that is the tensor of a picture.

    Raises KnollError that says what it is, if it is asked for something else.
    """

    raw: Any = None
    bounds: tuple[float, float] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """The most probable class."""
        found = self.raw.get("label") if isinstance(self.raw, Mapping) else None
        return self._expected(found if isinstance(found, str) else None, "a label", "label")

    @property
    def probabilities(self) -> Mapping[str, float]:
        """The probability of each class."""
        return self._expected(probabilities_of(self.raw), "a label with probabilities", "probabilities")

    @property
    def picture(self) -> "Image":
        """A picture of Pillow."""
        return self._expected(picture_of(self.raw, self.bounds), "a picture", "picture")

    @property
    def array(self) -> "NDArray[Any]":
        """An array of numpy: the tensor, or the pixels (H, W, C) of a picture in JSON, or probabilities in
        the order of the labels."""
        return self._expected(array_of(self.raw), "an array", "array")

    def _expected(self, found: _T | None, wanted: str, name: str) -> _T:
        if found is None:
            raise KnollError(
                f"the answer of {self.version or 'the model'} is {kind_of(self.raw)}, not {wanted}",
                fix=f"take .raw in place of .{name}",
            )
        return found


@dataclass(frozen=True)
class PredictionList(_Origin, Sequence[Prediction]):
    """The predictions of an answer, one for each instance. If there is one, its label, picture and so on are
    those of the list, too."""

    predictions: tuple[Prediction, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...

    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        return self.predictions[index]

    def __len__(self) -> int:
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    @property
    def only(self) -> Prediction:
        """The one prediction. Raises KnollError if there are others."""
        if len(self.predictions) != 1:
            raise KnollError(
                f"the answer has {len(self.predictions)} predictions, not one",
                fix="take them one by one: [one.label for one in answer]",
            )
        return self.predictions[0]

    @property
    def raw(self) -> Any:
        """What the model answered."""
        return self.only.raw

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.only.label

    @property
    def probabilities(self) -> Mapping[str, float]:
        """The probability of each class."""
        return self.only.probabilities

    @property
    def picture(self) -> "Image":
        """A picture of Pillow."""
        return self.only.picture

    @property
    def array(self) -> "NDArray[Any]":
        """An array of numpy; see `Prediction.array`."""
        return self.only.array


def from_v1(body: bytes, headers: Mapping[str, str]) -> PredictionList:
    """The predictions of a V1 answer. Raises KnollError if it is no JSON."""
    return _listed(headers, [(one, None) for one in predictions_in(body, headers.get(CONTENT_TYPE, ""))])


def from_tensors(arrays: Batches, meanings: Meanings, headers: Mapping[str, str]) -> PredictionList:
    """The predictions of a V2 answer, as the answer describes them: a row of classes as in V1, of any other
    output an array; of several outputs a dict."""
    columns = {name: _column(arrays[name], meanings[name]) for name in arrays}
    if len(columns) != 1:
        rows = zip(*columns.values(), strict=True)
        return _listed(headers, [(dict(zip(columns, row, strict=True)), None) for row in rows])
    ((name, column),) = columns.items()
    meaning = meanings[name]
    bounds = (meaning["low"], meaning["high"]) if {"low", "high"} <= meaning.keys() else None
    return _listed(headers, [(one, bounds) for one in column])


def _listed(
    headers: Mapping[str, str], found: Sequence[tuple[Any, tuple[float, float] | None]]
) -> PredictionList:
    warned = headers.get(WARNINGS, "")
    origin = (
        headers.get(VERSION, ""),
        headers.get(PREDICTION, ""),
        read_timing(headers.get(SERVER_TIMING, "")),
        tuple(warned.split("; ")) if warned else (),
    )
    return PredictionList(*origin, tuple(Prediction(*origin, raw, bounds) for raw, bounds in found))


def _column(batch: "NDArray[Any]", meaning: Mapping[str, Any]) -> Sequence[Any]:
    """The rows of an output."""
    labels = [str(one) for one in meaning.get("labels", ())]
    if not labels:
        return list(batch)
    from knoll.codecs.classes import label_row

    return [label_row(row, labels) for row in batch]

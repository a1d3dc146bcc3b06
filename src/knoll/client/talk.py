"""What a client says to a platform and to a model of it, as steps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from knoll.client.forms import TensorForm
from knoll.client.given import v1_body
from knoll.client.metadata import Metadata, metadata_of
from knoll.client.predictions import PredictionList, from_tensors, from_v1
from knoll.client.refusals import checked, document_of
from knoll.client.steps import Call, Deadline, Heard, Patience, Steps, Try, answer_to
from knoll.client.tensors import has_arrays, tensors_of
from knoll.errors import InvalidInstance, KnollError
from knoll.headers import CONTENT_TYPE
from knoll.media_types import JSON
from knoll.paths import MODELS, feedback_path, predict_path
from knoll.request_limits import COUNTED_BEFORE

__all__ = ["LabelsCounted", "Talk", "names_of_models"]

_NO_PLATFORM = "see that the URL is that of a platform"
_IN_JSON = {CONTENT_TYPE: JSON}

Label = str | int | None


@dataclass(frozen=True)
class LabelsCounted:
    """What came of feedback: how many answers were counted, and how many labels agree with them or not.
    `counted` is 0 if the answer was counted before."""

    counted: int
    right: int
    wrong: int


def names_of_models(patience: Patience) -> Steps[list[str]]:
    """The models of the platform."""
    heard = checked((yield from answer_to(Call("GET", MODELS[0]), patience.deadline())), "models")
    found = document_of(heard)
    names = found.get("models") if isinstance(found, dict) else None
    if not isinstance(names, list):
        raise KnollError("the answer names no models", fix=_NO_PLATFORM)
    return [str(one) for one in names]


class Talk:
    """All that is said to one model, of tensors in the `form`. It remembers the inputs that the model told
    it."""

    def __init__(self, model: str, patience: Patience, form: TensorForm) -> None:
        self._model, self._patience, self._form = model, patience, form
        self._metadata: Metadata | None = None

    def ready(self) -> Steps[bool]:
        """Whether requests would be answered, by one try; a model that sleeps is ready."""
        heard = yield Try(self._form.ready(self._model), self._patience.seconds)
        return self._form.is_ready(heard)

    def metadata(self, deadline: Deadline | None = None) -> Steps[Metadata]:
        """The versions and tensors; this wakes the model. Raises as `checked`."""
        call = self._form.metadata(self._model)
        heard = yield from answer_to(call, deadline or self._patience.deadline())
        told = self._form.metadata_in(checked(heard, f"metadata of {self._model}"))
        self._metadata = metadata_of(told)
        return self._metadata

    def predict(self, given: Any) -> Steps[PredictionList]:
        """The predictions: arrays go as tensors (V2), all else as JSON (V1). Raises as `checked`."""
        deadline = self._patience.deadline()
        if has_arrays(given):
            inputs = (self._metadata or (yield from self.metadata(deadline))).inputs
            tensors = tensors_of(given, inputs)
            if tensors is not None:
                call = self._form.infer(self._model, tensors, inputs)
                heard = self._check_predicted((yield from answer_to(call, deadline)))
                return from_tensors(*self._form.outputs_in(heard), heard.headers)
        call = Call("POST", predict_path(self._model), v1_body(given), _IN_JSON)
        heard = self._check_predicted((yield from answer_to(call, deadline)))
        return from_v1(heard.body, heard.headers)

    def feedback(self, id: str, label: Label | Sequence[Label]) -> Steps[LabelsCounted]:
        """Tell the true label of an answer, or those of its instances. Raises as `checked`."""
        is_one = label is None or isinstance(label, str | int)
        entry = {"id": id, **({"label": label} if is_one else {"labels": label})}
        call = Call("POST", feedback_path(self._model), json.dumps(entry).encode(), _IN_JSON)
        heard = yield from answer_to(call, self._patience.deadline())
        if heard.status == COUNTED_BEFORE:
            return LabelsCounted(0, 0, 0)
        found = document_of(checked(heard, f"feedback for {self._model}"))
        try:
            return LabelsCounted(found["counted"], found["right"], found["wrong"])
        except (KeyError, TypeError) as error:
            raise KnollError("the answer counts no labels", fix=_NO_PLATFORM) from error

    def _check_predicted(self, heard: Heard) -> Heard:
        try:
            return checked(heard, f"predict {self._model}")
        except InvalidInstance:
            self._metadata = None  # a new version may take other tensors
            raise

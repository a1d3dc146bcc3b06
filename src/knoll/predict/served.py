"""What a predictor serves: a version and its graph, asked with the bytes of a request. It blocks, and runs in
the threads of a pool."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import Lock
from typing import Any

import numpy as np

from knoll.codecs import CODECS, Array, decode, example_request
from knoll.errors import InvalidInstance, NotFound, Unavailable
from knoll.headers import RETRY_AFTER
from knoll.paths import V2_MODEL, path_of
from knoll.predict.answer import Answer, refusal
from knoll.predict.answer_size import memory_of
from knoll.predict.bins import NOT_FINITE, Bins, bins_of
from knoll.predict.blame import Usual
from knoll.predict.explanation import explain
from knoll.predict.facets import FacetBins, facets_of
from knoll.predict.feedback import Feedback
from knoll.predict.graph import Graph
from knoll.predict.inference_log import InferenceLog
from knoll.predict.json_body import is_long
from knoll.predict.loading import Version
from knoll.predict.receipts import new_id
from knoll.predict.recorder import Recorder
from knoll.predict.v1 import answer_v1, read_v1
from knoll.predict.v2 import Inference, answer_v2, read_v2
from knoll.predict.work import ClientGone, Work
from knoll.request_limits import RETRY_SECONDS

__all__ = ["Served"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """The model `name` answers with this version. Inputs that it was not made for are no fault of it.
    `feedback` gives the answers their ids. `recorder` keeps some requests, if there is one; `log` is told of
    all."""

    name: str
    version: Version
    graph: Graph
    usual: Usual
    feedback: Feedback
    recorder: Recorder | None = None
    log: InferenceLog | None = None
    _long: Lock = field(default_factory=Lock)

    @property
    def about(self) -> dict[str, str]:
        """What a V2 answer says about its origin."""
        return {"model_name": self.name, "model_version": self.version.manifest.version}

    @cached_property
    def bins(self) -> Bins:
        """Where its answers are counted."""
        return bins_of(self.version.signature)

    @cached_property
    def facets(self) -> FacetBins:
        """What is counted of its requests and answers beside them."""
        return facets_of(self.version.signature, self.version.samples)

    @cached_property
    def example(self) -> Any:
        """A V1 request that is answered; None if only a large one would be."""
        return example_request(self.version.signature)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What V2 says of the model in the place of what the version says."""
        return {}

    def pages(self) -> Mapping[str, Callable[[], Answer]]:
        """What it says about itself that changes, by path."""
        return {}

    def predict(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """Answer a V1 request. Raises ClientGone."""
        warnings: list[str] = []

        def answer() -> Answer:
            with self._turn(body), work.reading():
                asked = read_v1(body, headers, self.version.signature, work.keep)
            batches, answered = self.answer_all(asked.instances, self._turn(body), work, warnings.append)
            weights = self._explained(asked.instances, work) if asked.explains else ()
            told = batches, self.version.signature, headers, self.name, warnings, weights
            answer, id = answer_v1(*told), new_id()
            if self.recorder:
                self.recorder.note(id, body, headers)
            return self._with_id(answer, body, headers, answered, id)

        large = f"only a large one: GET {path_of(V2_MODEL, self.name)} shows the tensors"
        return self._guarded(answer, self.example or large)

    def infer(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """Answer a V2 request. Raises ClientGone."""

        def answer() -> Answer:
            with self._turn(body), work.reading():
                request = read_v2(body, headers, self.version.signature, work.keep, work.limits())
            outputs, answered = self.outputs_for(request, work)
            answer = answer_v2(request, outputs, self.version.signature, self.about)
            return self._with_id(answer, body, headers, answered)

        return self._guarded(answer, f"GET {path_of(V2_MODEL, self.name)} shows the tensors")

    def call(self, body: bytes, headers: Mapping[str, str], work: Work) -> Answer:
        """Answer a ModelInfer of gRPC; what it needs is imported with the first. Raises ClientGone."""
        from knoll.predict.v2_call import answer_call, read_call

        def answer() -> Answer:
            with work.reading():
                told = self.version.signature, self.about, work.keep, work.limits()
                request = read_call(body, headers, *told)
            outputs, answered = self.outputs_for(request, work)
            answer = answer_call(request, outputs, self.version.signature, self.about)
            return self._with_id(answer, body, headers, answered)

        return self._guarded(answer, "ModelMetadata shows the tensors")

    def answer_all(
        self,
        instances: list[Any],
        turn: AbstractContextManager[Any],
        work: Work,
        warn: Callable[[str], None],
    ) -> tuple[Iterator[dict[str, Array]], list[str]]:
        """The outputs for the instances, batch by batch, and the labels that are answered, which are noted
        while the batches come. They are read inside `turn`."""
        decoded = self._decoded(instances, turn, work, warn)
        pictures = [one.name for one in self.version.signature.outputs if CODECS[one.codec].draw]
        return self._note_labels(self._run_all(decoded, len(instances), pictures, work))

    def outputs_for(self, request: Inference, work: Work) -> tuple[dict[str, Array], list[str]]:
        """All outputs for the tensors of a request, and the labels that are answered."""
        size, step = len(next(iter(request.inputs.values()))), self.graph.batch
        parts = (
            {name: whole[start : start + step] for name, whole in request.inputs.items()}
            for start in range(0, size, step)
        )
        in_json = [name for name, is_binary in request.outputs.items() if not is_binary]
        dense = [one.name for one in self.version.signature.outputs if one.name not in in_json]
        batches, answered = self._note_labels(self._run_all(parts, size, dense, work))
        answers = list(batches)
        return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}, answered

    def _explained(self, instances: list[Any], work: Work) -> Iterator[Any]:
        """See `explain`. It takes no longer than instances may take to be read."""
        with work.reading():
            run = partial(self._run, work=work)
            yield from explain(instances, self.version.signature, run, self.graph.batch, work.limits())

    def _note_labels(
        self, batches: Iterable[dict[str, Array]]
    ) -> tuple[Iterator[dict[str, Array]], list[str]]:
        """The batches, and the labels that are answered, which are noted while the batches come."""
        answered: list[str] = []

        def noted() -> Iterator[dict[str, Array]]:
            for batch in batches:
                self.feedback.note(batch, answered)
                yield batch

        return noted(), answered

    def _with_id(
        self, answer: Answer, body: bytes, headers: Mapping[str, str], answered: Sequence[str], id: str = ""
    ) -> Answer:
        self.feedback.compare(body, headers, answered)
        return replace(answer, headers={**answer.headers, **self.feedback.id_of(body, answered, id)})

    def _guarded(self, answer: Callable[[], Answer], example: Any) -> Answer:
        """The answer, or the refusal of a faulty request or of one too many, or 500 if the version failed."""
        try:
            return answer()
        except InvalidInstance as error:
            text = f"{error}; {error.fix}" if error.fix else str(error)
            return refusal(400, text, example=example)
        except NotFound as error:
            return refusal(404, str(error))
        except Unavailable as error:
            busy = refusal(503, f"{error}; {error.fix}")
            return replace(busy, headers={**busy.headers, RETRY_AFTER: str(RETRY_SECONDS)})
        except ClientGone:
            raise
        except Exception:
            _log.exception("a prediction failed")
            return refusal(500, "the prediction failed; the log of the predictor says why")

    def _turn(self, body: bytes) -> AbstractContextManager[Any]:
        """Long bodies are read one by one: each holds the interpreter's lock for a moment, and health checks
        come between."""
        return self._long if is_long(body) else nullcontext()

    def _decoded(
        self,
        instances: list[Any],
        turn: AbstractContextManager[Any],
        work: Work,
        warn: Callable[[str], None],
    ) -> Iterator[dict[str, Array]]:
        for start in range(0, len(instances), self.graph.batch):
            part = instances[start : start + self.graph.batch]
            with turn, work.reading():
                inputs = decode(part, self.graph.signature, first=start, reading=work.limits(warn))
            yield inputs

    def _run_all(
        self, batches: Iterable[Mapping[str, Array]], size: int, dense: Collection[str], work: Work
    ) -> Iterator[dict[str, Array]]:
        """Outputs, batch by batch: the memory for a request does not grow with the number of instances. Of
        the outputs `dense` the answer has bytes, of the others JSON."""
        for index, inputs in enumerate(batches):
            work.check()
            outputs = self._run(inputs, work)
            if index == 0:
                shown = self.bins.shown(inputs, outputs)
                work.shown = replace(shown, facets=self.facets.find(inputs, outputs))
                work.keep(memory_of(outputs, size, dense))
            yield outputs

    def _run(self, inputs: Mapping[str, Array], work: Work) -> dict[str, Array]:
        """Run the graph. If it fails with inputs that it was not made for, raises InvalidInstance."""
        try:
            return self.graph.run(inputs, work.running, work.check)
        except Exception as error:  # the runtime has a dozen kinds of its own, without a common class
            work.shown = NOT_FINITE if isinstance(error, ArithmeticError) else None
            unusual = self.usual.why_not(inputs)
            if not unusual:
                raise
            fault = str(error) if isinstance(error, ArithmeticError) else "the graph cannot be run"
            raise InvalidInstance(f"{fault}: {unusual}") from error

"""The graph of a version in ONNX Runtime, and the check that it still answers as it did after training."""

import base64
import io
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from knoll.codecs import DECODERS, DTYPES, ENCODERS, Array, decode, encode
from knoll.errors import InvalidInstance, InvalidVersion
from knoll.predict.loading import Version
from knoll.predict.memory_limit import UNLIMITED, resident
from knoll.records.samples import Samples
from knoll.records.signature import Signature
from knoll.shared_runs import SharedRuns

__all__ = ["Graph", "agree", "warm_up"]

_WARM_UPS = 8
_BATCH = 32  # examples that a graph is given at once
_FOR_BATCH = 8  # one part of the memory in so many, for one batch
_BATCH_BYTES = 8 * 2**20  # of their inputs and outputs: between them a graph takes some times as much
_MUCH = 8 * 2**20  # bytes of memory for a run beside others
_PIXEL_TOLERANCE = 2.0  # mean difference of a picture's pixels, of 255


class Graph:
    """A loaded graph. Threads may share it: `run` releases the interpreter's lock. `shared` has the runs that
    requests share, if the version shares them."""

    def __init__(self, version: Version, threads: int) -> None:
        """Load the graph with that many CPU threads, 0 for all cores. Raises InvalidVersion if it does not
        fit its signature."""
        self.signature = version.signature
        self.batch = _batch_of(version.signature)
        self._turn: AbstractContextManager[Any] = nullcontext()
        _check_codecs(version)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # With spinning, an idle predictor would use its CPU.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                version.graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime has a dozen kinds of its own, without a common class
            raise InvalidVersion(f"model.onnx cannot be loaded: {type(error).__name__}") from error
        _check_names(self._session, version)
        is_shared = version.manifest.shares_runs
        self.shared = SharedRuns(self._answer, lambda: self.batch) if is_shared else None

    def run(
        self,
        inputs: Mapping[str, Array],
        running: Callable[[], AbstractContextManager[object]] = nullcontext,
        check: Callable[[], None] = lambda: None,
    ) -> dict[str, Array]:
        """Inputs (B, ...) by name -> outputs (B, ...) by name. It is inside `running` while the graph runs,
        and not while it waits for its turn. Raises ArithmeticError if a number is not finite, and what
        `check` raises while others have a shared run.

        Give it no more than `batch` examples: its memory grows with them, to gigabytes for a generator.
        """
        if self.shared:
            return dict(self.shared.run(inputs, running, check))
        with self._turn, running():
            return self._answer(inputs)

    def _answer(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        names = [tensor.name for tensor in self.signature.outputs]
        outputs = dict(zip(names, self._session.run(names, dict(inputs)), strict=True))
        for name, batch in outputs.items():
            if batch.dtype.kind == "f" and not np.isfinite(batch).all():
                raise ArithmeticError(f"output {name} is not finite")
        return outputs

    def fit_batch(self, example: Mapping[str, Array], most: int) -> None:
        """Run batches of that example, inputs (1, ...) by name, each larger than the one before, and let
        `batch` be the first size that takes more than `most` bytes of memory, if one does.

        The runtime keeps the memory of its largest run. So after this, the process has what it will have; and
        if that is much, batches are run one by one.
        """
        before, wanted, self.batch = resident(), self.batch, 1
        taken = _bytes_of(self.signature)
        while self.batch < wanted and taken <= most:
            self.batch = min(2 * self.batch, wanted)
            self.run({name: np.repeat(one, self.batch, axis=0) for name, one in example.items()})
            taken = resident() - before
        if taken > _MUCH:
            self._turn = Lock()


def warm_up(graph: Graph, version: Version, limit: int = UNLIMITED) -> None:
    """Answer the first samples one by one, and then one as a batch; `limit` is the memory of the process in
    bytes. Raises InvalidVersion if an answer is not the one that the version gave after training."""
    for index, sample in enumerate(version.samples[:_WARM_UPS]):
        try:
            (prediction,) = encode(graph.run(decode([sample.instance], graph.signature)), graph.signature)
        except (InvalidInstance, ArithmeticError) as error:
            raise InvalidVersion(f"sample {index} cannot be answered: {error}") from error
        except Exception as error:  # the runtime's own kinds, such as of a shape that does not fit
            raise InvalidVersion(f"sample {index} cannot be answered: {type(error).__name__}") from error
        if sample.prediction is not None and not agree(sample.prediction, prediction, version.tolerance):
            raise InvalidVersion(
                f"sample {index} is not answered as it was when {version.manifest.version} was trained"
            )
    if version.samples:
        graph.fit_batch(decode([version.samples[0].instance], graph.signature), limit // _FOR_BATCH)


def agree(expected: Any, found: Any, tolerance: float = Samples.tolerance) -> bool:
    """Whether two predictions are the same: labels exactly, numbers and pixels nearly, because another CPU
    may round differently."""
    match expected, found:
        case {"b64": str(ours)}, {"b64": str(theirs)}:
            return _same_picture(ours, theirs)
        case dict(), dict():
            return expected.keys() == found.keys() and all(
                agree(expected[key], found[key], tolerance) for key in expected
            )
        case list(), list():
            return len(expected) == len(found) and all(
                agree(one, other, tolerance) for one, other in zip(expected, found, strict=True)
            )
        case (int() | float(), int() | float()):
            return bool(np.isclose(expected, found, rtol=tolerance, atol=tolerance))
    return bool(expected == found)


def _same_picture(ours: str, theirs: str) -> bool:
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))), np.float32) for one in (ours, theirs)]
    return (
        pixels[0].shape == pixels[1].shape and float(np.abs(pixels[0] - pixels[1]).mean()) <= _PIXEL_TOLERANCE
    )


def _batch_of(signature: Signature) -> int:
    return max(1, min(_BATCH, _BATCH_BYTES // max(_bytes_of(signature), 1)))


def _bytes_of(signature: Signature) -> int:
    """The inputs and outputs of one example."""
    return sum(
        np.dtype(DTYPES.get(one.datatype, np.float64)).itemsize * math.prod(map(abs, one.shape[1:]))
        for one in (*signature.inputs, *signature.outputs)
    )


def _check_codecs(version: Version) -> None:
    signature = version.signature
    faults = [
        f"there is no input codec {one.codec!r}" for one in signature.inputs if one.codec not in DECODERS
    ]
    faults += [
        f"there is no output codec {one.codec!r}" for one in signature.outputs if one.codec not in ENCODERS
    ]
    faults += [
        f"there is no datatype {one.datatype!r}"
        for one in (*signature.inputs, *signature.outputs)
        if one.datatype not in DTYPES
    ]
    if faults:
        raise InvalidVersion("this predictor cannot serve signature.json: " + "; ".join(faults))


def _check_names(session: onnxruntime.InferenceSession, version: Version) -> None:
    for side, named, found in (
        ("inputs", version.signature.inputs, session.get_inputs()),
        ("outputs", version.signature.outputs, session.get_outputs()),
    ):
        if {one.name for one in named} != {one.name for one in found}:
            raise InvalidVersion(f"the {side} of model.onnx are not those of signature.json")

"""The `predict` of a class that has none of its own: the version's graph, asked with what `preprocess`
returns. Its answer goes to `postprocess`."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse

from knoll.codecs import DTYPES, Array, encode
from knoll.predict.answer import told_in_header
from knoll.predict.served import Served
from knoll.predict.texts import in_raw
from knoll.predict.v1 import instances_in, told_warnings
from knoll.predict.v2 import read_inference
from knoll.predict.work import Work

__all__ = ["Asked", "GraphPredict", "asked_now"]


@dataclass(frozen=True)
class Asked:
    """A request that the class works on: its body as it came, its work, and the headers that its answer gets
    from the graph."""

    body: bytes
    work: Work
    told: dict[str, str] = field(default_factory=dict)


asked_now: ContextVar[Asked] = ContextVar("asked_now")


class GraphPredict:
    """`kserve.Model.predict` for one version. It runs in threads of its own."""

    def __init__(self, served: Served, workers: int) -> None:
        self._served, self._pool = served, ThreadPoolExecutor(workers, thread_name_prefix="graph")

    async def predict(
        self,
        payload: Any,
        headers: Any = None,  # noqa: ARG002
        response_headers: Any = None,  # noqa: ARG002
    ) -> Any:
        """The predictions for the instances of a dict, or the outputs for an InferRequest. Raises
        InvalidInstance."""
        act = self._infer if isinstance(payload, InferRequest) else self._predict
        return await asyncio.get_running_loop().run_in_executor(self._pool, act, payload, asked_now.get())

    def _predict(self, payload: Any, asked: Asked) -> dict[str, Any]:
        served, warnings = self._served, list[str]()
        instances = _plain(instances_in(payload))
        batches, answered = served.answer_all(instances, nullcontext(), asked.work, warnings.append)
        predictions = [one for batch in batches for one in encode(batch, served.version.signature)]
        asked.told.update(told_in_header(told_warnings(warnings)))
        asked.told.update(served.feedback.id_of(asked.body, answered))
        return {"predictions": predictions}

    def _infer(self, payload: Any, asked: Asked) -> Any:
        served = self._served
        arrays = {one.name: np.ascontiguousarray(one.as_numpy()) for one in payload.inputs}

        def raw_of(described: Mapping[str, Any], _: Mapping[str, Any]) -> memoryview:
            array = arrays[described["name"]]
            return in_raw(array.ravel()) if array.dtype.kind == "O" else memoryview(array.tobytes())

        wanted = [{"name": one.name} for one in payload.request_outputs or ()]
        described = [
            {"name": one.name, "datatype": one.datatype, "shape": [*arrays[one.name].shape]}
            for one in payload.inputs
        ]
        request = read_inference(
            {"id": payload.id or None, "inputs": described, "outputs": wanted},
            {},
            served.version.signature,
            raw_of,
            asked.work.limits(),
        )
        outputs, answered = served.outputs_for(request, asked.work)
        asked.told.update(told_in_header(request.warnings))
        asked.told.update(served.feedback.id_of(asked.body, answered))
        is_raw = payload.use_binary_outputs or not payload.from_grpc  # typed tensors are answered typed
        return InferResponse(
            request.id,
            served.name,
            [_output(name, outputs[name], served, is_raw=is_raw) for name in request.outputs],
            model_version=served.version.manifest.version,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


def _plain(instances: list[Any]) -> list[Any]:
    """Instances with lists in the place of arrays, as of JSON."""
    return [one.tolist() if isinstance(one, np.ndarray | np.generic) else one for one in instances]


def _output(name: str, batch: Array, served: Served, *, is_raw: bool) -> Any:
    tensor = next(one for one in served.version.signature.outputs if one.name == name)
    data = batch.astype(DTYPES[tensor.datatype], copy=False)
    made = InferOutput(name, [*data.shape], tensor.datatype)
    made.set_data_from_numpy(data, binary_data=is_raw or tensor.datatype == "FP16")
    return made

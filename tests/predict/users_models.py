"""Models as users of KServe write them."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import kserve
import numpy as np
from fastapi import HTTPException
from kserve.errors import InvalidInput


class Labels(kserve.Model):
    """Takes {"instances": [{"picture": its base64}]}, and answers labels. The version's graph predicts."""

    def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        return {"instances": [{"b64": one["picture"]} for one in payload["instances"]]}

    def postprocess(self, result: Any, headers: dict[str, str] | None = None) -> Any:
        return {"predictions": [one["label"] for one in result["predictions"]]}


class Framed(kserve.Model):
    """Takes a number between 0 and 1, and lets the version's graph say whether it is light or dark. Only what
    is around the graph is its own: one method is sync, the other async."""

    def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        if isinstance(payload, bytes):
            payload = {"instances": [float(payload)]}
        if isinstance(payload, dict):
            return {"instances": [np.full((4, 4), round(one * 255)).tolist() for one in payload["instances"]]}
        levels = payload.inputs[0].as_numpy()
        tensor = kserve.InferInput("image", [len(levels), 1, 4, 4], "FP32")
        tensor.set_data_from_numpy(np.broadcast_to(levels, (len(levels), 1, 4, 4)).astype(np.float32))
        payload.inputs = [tensor]
        return payload

    async def postprocess(self, result: Any, headers: Any = None, response_headers: Any = None) -> Any:
        await asyncio.sleep(0)
        if isinstance(result, dict):
            return {"predictions": [one["label"] for one in result["predictions"]], "by": headers["x-user"]}
        return result

    def get_input_types(self) -> list[dict[str, Any]]:
        return [{"name": "level", "datatype": "FP32", "shape": [-1, 1, 1, 1]}]


class Own(kserve.Model):
    """Does all by itself, with a file of the version."""

    def __init__(self, name: str, model_dir: str) -> None:
        super().__init__(name, return_response_headers=True)
        self.folder, self.at_once, self.most = Path(model_dir), 0, 0
        self.is_well, self.go_on = True, threading.Event()

    def load(self) -> bool:
        self.card = (self.folder / "README.md").read_text()
        self.ready = True
        return self.ready

    async def healthy(self) -> bool:
        return self.is_well

    def predict(
        self,
        payload: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        assert headers is not None
        assert response_headers is not None
        response_headers.update({"x-own": "7", "connection": "close", "x-model-version": "mine"})
        if isinstance(payload, kserve.InferRequest):
            numbers = payload.inputs[0].as_numpy()
            output = kserve.InferOutput("double", [*numbers.shape], "FP32")
            output.set_data_from_numpy(numbers * 2, binary_data=False)
            return kserve.InferResponse(
                payload.id, self.name, [output], use_binary_outputs=payload.use_binary_outputs
            )
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            return getattr(self, payload["do"])(payload, headers)
        finally:
            self.at_once -= 1

    def tell(self, payload: Any, headers: dict[str, str]) -> Any:
        thread = threading.current_thread()
        is_main = thread is threading.main_thread()
        return {"card": self.card, "headers": headers, "is_main": is_main, "numbers": np.arange(2)}

    def refuse(self, payload: Any, headers: Any) -> Any:
        raise InvalidInput("that is no number")

    def limit(self, payload: Any, headers: Any) -> Any:
        raise HTTPException(429, "not so fast")

    def fail(self, payload: Any, headers: Any) -> Any:
        raise OSError(f"a secret of {os.getpid()}")

    def work(self, payload: Any, headers: Any) -> Any:
        assert self.go_on.wait(30)
        return {"most": self.most}

    def fall_ill(self, payload: Any, headers: Any) -> Any:
        self.is_well = False
        return {}

    async def stream(self, payload: Any, headers: Any) -> Any:
        yield "one"


class Unready(kserve.Model):
    def load(self) -> bool:
        raise OSError("no such file")


class NoModel:
    """Nothing of KServe."""

"""What docs/predict.md shows, run by test_examples.py."""

import asyncio
from pathlib import Path

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

from knoll.client import AsyncClient, Client


def ask_one_by_one(url: str, folder: Path) -> None:
    with Client(url) as client:  # without a URL: KNOLL_URL, or the platform on this machine
        model = client.model("digits")
        answer = model.predict(folder / "seven.png")
        print(answer.label, answer.probabilities[answer.label], answer.version)
        model.feedback(answer.id, "7")
        for one in model.predict([folder / "seven.png", folder / "one.png"]):
            print(one.label)


async def ask_at_once(url: str, folder: Path) -> list[str]:
    async with AsyncClient(url, timeout=30) as client:
        model = client.model("digits")
        answers = await asyncio.gather(*(model.predict(path) for path in sorted(folder.glob("*.png"))))
    return [answer.label for answer in answers]


def ask_by_grpc(url: str, pixels: np.ndarray) -> list[str]:
    with Client(url, transport="grpc") as client:
        return [answer.label for answer in client.model("digits").predict(pixels)]


async def ask_with_kserve(url: str, pixels: np.ndarray) -> np.ndarray:
    tensor = InferInput("image", list(pixels.shape), "FP32")
    tensor.set_data_from_numpy(pixels, binary_data=True)
    request = InferRequest("digits", [tensor], parameters={"binary_data_output": True})
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        answer = await client.infer(url, request, model_name="digits")
    probabilities: np.ndarray = answer.outputs[0].as_numpy()
    return probabilities

"""A client in Python: it asks models for predictions, waits while they start, and tells them true labels.

    from knoll.client import Client

    with Client() as client:
        print(client.model("digits").predict("seven.png").label)

What is sent, whether it is tried again, and how an answer is read are decided without HTTP, in steps
(`knoll.client.steps`). `Client` takes them and blocks, `AsyncClient` awaits.
"""

from knoll.client.awaiting import AsyncClient, AsyncModelHandle
from knoll.client.blocking import Client, ModelHandle
from knoll.client.metadata import Metadata, TensorInfo
from knoll.client.predictions import Prediction, PredictionList
from knoll.client.talk import LabelsCounted

__all__ = [
    "AsyncClient",
    "AsyncModelHandle",
    "Client",
    "LabelsCounted",
    "Metadata",
    "ModelHandle",
    "Prediction",
    "PredictionList",
    "TensorInfo",
]

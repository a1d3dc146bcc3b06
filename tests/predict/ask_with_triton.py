"""Ask a predictor with the clients of Triton, by gRPC and by HTTP: python ask_with_triton.py ADDRESS.

A program of its own, because tritonclient and kserve register messages of the same names, and one process
takes only one of them. It prints what it was told, as JSON.
"""

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http

LIGHT = np.ones((2, 1, 4, 4), np.float32)


def by_grpc(address: str) -> dict[str, Any]:
    with tritonclient.grpc.InferenceServerClient(address) as client:
        tensor = tritonclient.grpc.InferInput("image", LIGHT.shape, "FP32")
        tensor.set_data_from_numpy(LIGHT)
        wanted = [tritonclient.grpc.InferRequestedOutput("probabilities")]
        found = client.infer("shade", [tensor], outputs=wanted, request_id="8", model_version="v000001")
        return {
            "ready": [
                client.is_server_live(),
                client.is_server_ready(),
                client.is_model_ready("shade"),
                client.is_model_ready("shade", "v000001"),
            ],
            "server": client.get_server_metadata(as_json=True),
            "model": client.get_model_metadata("shade", as_json=True),
            "id": found.get_response().id,
            "answers": [found.as_numpy("probabilities").argmax(axis=1).tolist()],
        }


def by_http(address: str) -> dict[str, Any]:
    with tritonclient.http.InferenceServerClient(address) as client:
        answers = []
        for is_binary in (True, False):
            tensor = tritonclient.http.InferInput("image", LIGHT.shape, "FP32")
            tensor.set_data_from_numpy(LIGHT, binary_data=is_binary)
            wanted = [tritonclient.http.InferRequestedOutput("probabilities", binary_data=is_binary)]
            found = client.infer("shade", [tensor], outputs=wanted, request_id="9")
            answers.append(found.as_numpy("probabilities").argmax(axis=1).tolist())
        return {
            "ready": [client.is_server_live(), client.is_server_ready(), client.is_model_ready("shade")],
            "server": client.get_server_metadata(),
            "model": client.get_model_metadata("shade"),
            "id": found.get_response()["id"],
            "answers": answers,
        }


if __name__ == "__main__":
    print(json.dumps({"grpc": by_grpc(sys.argv[1]), "http": by_http(sys.argv[1])}))

"""A Model that asks for gRPC: the gateway brings calls and REST to one port of its predictor."""

import json
from typing import Any

import grpc
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def test_a_predictor_answers_grpc_and_rest(installation: Any, seven: dict[str, Any], first: None) -> None:
    installation.declare("calls")
    patch = json.dumps({"spec": {"serving": {"grpc": True}}})
    installation.kubectl("patch", "model", "calls", "-n", installation.namespace, "--type=merge", "-p", patch)
    installation.give_version(("digits", "v000001"), ("calls", "v000001"))
    installation.wait_for_champion("calls", "v000001")
    answer = installation.predict("calls", seven)
    assert (answer.status_code, answer.json()["predictions"][0]["label"]) == (200, "7")
    [asked] = installation.ask("calls", "/v2/models/calls").json()["inputs"]
    shape = [max(1, size) for size in asked["shape"]]
    tensor = messages.ModelInferRequest.InferInputTensor(name=asked["name"], datatype="FP32", shape=shape)
    request = messages.ModelInferRequest(
        model_name="calls",
        id="7",
        inputs=[tensor],
        raw_input_contents=[np.full(shape, 0.5, np.float32).tobytes()],
    )
    host = installation.host("calls")
    address = (installation.environment.get("GATEWAY_URL") or f"http://{host}:80").partition("//")[2]
    with grpc.insecure_channel(address, options=[("grpc.default_authority", host)]) as channel:
        found = GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=90, wait_for_ready=True)
    assert (found.id, found.model_version) == ("7", "v000001")
    assert np.frombuffer(found.raw_output_contents[0], np.float32).sum() == pytest.approx(1, abs=1e-3)
    installation.forget("calls")

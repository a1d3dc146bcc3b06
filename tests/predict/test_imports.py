"""What a predictor imports until it listens is budgeted: each module is part of every cold start."""

import json
import os
import subprocess
import sys
from typing import Any

_MODULES = 650  # of which ONNX Runtime, numpy, pydantic, asyncio and uvicorn are most
_TIMES = 60  # so many times the CPU of an empty program
_HEAVY = (
    "boto3",
    "fastapi",
    "google.protobuf",
    "grpc",
    "h2",
    "httpx",
    "kserve",
    "knoll.models",
    "knoll.rpc",
    "pandas",
    "prometheus_client",
    "torch",
)
_SHOW = "\nimport json, resource, sys; used = resource.getrusage(resource.RUSAGE_SELF)\n"
_SHOW += "print(json.dumps([used.ru_utime + used.ru_stime, [*sys.modules]]))"


def ran(code: str) -> tuple[float, set[str]]:
    """Seconds of CPU of a program, the least of three, and the modules that it has imported."""

    def once() -> Any:
        command = [sys.executable, "-c", code + _SHOW]
        return json.loads(subprocess.run(command, capture_output=True, check=True, env={**os.environ}).stdout)

    found = [once() for _ in range(3)]
    return min(one[0] for one in found), {*found[0][1]}


def test_a_predictor_imports_little_until_it_listens() -> None:
    least, nothing = ran("pass")
    seconds, modules = ran("import knoll.wiring.predictor, knoll.predict.predictor, knoll.predict.protocol")
    assert {one for one in _HEAVY if one in modules} == set()
    assert len(modules - nothing) < _MODULES
    assert seconds < _TIMES * least

"""A predictor whose requests share runs answers as one whose requests do not."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np

from predict.serving import Serving, serving
from predict.test_served import DARK, LIGHT

Files = Callable[..., dict[str, bytes]]


def sharing(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same version, if its Job had found that shared runs are cheaper."""
    manifest = json.loads(files["manifest.json"])
    return {**files, "manifest.json": json.dumps({**manifest, "shares_runs": True}).encode()}


def ask_all(found: Serving, asked: list[tuple[str, Any]]) -> list[tuple[int, Any]]:
    """Status and body of each answer, all asked at once."""
    with (
        httpx.Client(base_url=found.url, trust_env=False, timeout=60) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        answers = [*pool.map(lambda one: client.post(one[0], json=one[1]), asked)]
    return [(one.status_code, one.json()) for one in answers]


def tensor(*pictures: Any) -> dict[str, Any]:
    data = np.array(pictures, np.float32) / 255
    shown = {"name": "image", "datatype": "FP32", "shape": [len(pictures), 1, 4, 4]}
    return {"id": "1", "inputs": [{**shown, "data": data.ravel().tolist()}]}


def test_answers_are_those_of_each_request_alone(files_of: Files, classifier: Any) -> None:
    """Of V1 and V2, of several instances, and of bad ones, in the order of the requests."""
    grey = [[[level] * 4] * 4 for level in range(0, 255, 9)]
    v1, v2 = "/v1/models/shade:predict", "/v2/models/shade/infer"
    asked: list[tuple[str, Any]] = [(v1, {"instances": [one]}) for one in grey]
    asked += [(v2, tensor(one, other)) for one, other in zip(grey, grey[::-1], strict=True)]
    asked += [(v1, {"instances": [LIGHT, "x"]}), (v1, {"instances": [DARK] * 40}), (v2, {"inputs": []})]
    with serving("shade", files_of(classifier)) as found:
        alone = ask_all(found, asked)
    with serving("shade", sharing(files_of(classifier))) as found:
        shared = ask_all(found, asked * 4)
        runs = found.served.graph.shared
        assert runs is not None
        metrics = httpx.get(f"{found.url}/metrics", trust_env=False).text
    assert [status for status, _ in shared] == [status for status, _ in alone] * 4
    for (_, body), (_, wanted) in zip(shared, alone * 4, strict=True):
        assert_same(body, wanted)
    assert max(runs.sizes) > 1
    (line,) = [one for one in metrics.splitlines() if one.startswith("knoll_run_requests_count{")]
    assert float(line.rpartition(" ")[2]) == runs.sizes.total()


def assert_same(found: Any, wanted: Any) -> None:
    """The same JSON, but for the last digits of its numbers."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            assert_same(found[name], wanted[name])
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    elif isinstance(wanted, float):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    else:
        assert found == wanted


def test_a_request_whose_answer_is_not_finite_fails_alone(files_of: Files, roots: Any) -> None:
    with serving("roots", sharing(files_of(roots))) as found:
        path = "/v1/models/roots:predict"
        good, bad = (path, {"instances": [[4.0, 9.0]]}), (path, {"instances": [[-4.0, 9.0]]})
        answers = ask_all(found, [good, bad, good, good] * 20)
    assert [status for status, _ in answers] == [200, 400, 200, 200] * 20
    assert {json.dumps(body) for status, body in answers if status == 200} == {
        '{"predictions": [[2.0, 3.0]]}'
    }

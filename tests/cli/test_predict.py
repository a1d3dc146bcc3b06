import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll
from knoll.ports import Platform

WEIGHTS = [{"part": "fine", "weight": 0.5}, {"part": "awful", "weight": -2}]
PNG = b"\x89PNG\r\n\x1a\n rest"


class Server(ThreadingHTTPServer):
    """A predictor that remembers what it was asked."""

    asked: list[Any]


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, request))  # type: ignore[attr-defined]
        is_picture = self.headers["accept"] == "image/png"
        probabilities = {"7": 0.9, "1": 0.06, "4": 0.04}
        answer = {"label": "7", "probabilities": probabilities}
        weights = {"weights": WEIGHTS} if request.get("explain") else {}
        body = PNG if is_picture else json.dumps({"predictions": [{**answer, **weights}]}).encode()
        if request["instances"] == ["odd"]:
            told = "instance 0: it has no \x1b[31mcolour"
            body = json.dumps({"error": told, "example": {"instances": [7]}, "more": 5}).encode()
        self.send_response({"bad": 500, "odd": 400}.get(str(request["instances"][0]), 200))
        self.send_header("content-type", "image/png" if is_picture else "application/json")
        self.send_header("x-model-version", "v000003")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(knoll: Knoll, platform: Platform, model_file: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answers) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        knoll("apply", "-f", model_file)
        isvc = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "digits"},
            "spec": {},
        }
        created = platform.cluster.create(isvc)
        platform.cluster.update(
            {**created, "status": {"url": f"http://127.0.0.1:{server.server_port}"}}, status=True
        )
        yield server
        server.shutdown()
        thread.join()


def test_a_picture_travels_as_base64_and_its_label_is_told(
    knoll: Knoll, server: Server, tmp_path: Path
) -> None:
    """A PNG becomes one V1 instance; the answer shows label, bars and the version that answered."""
    (tmp_path / "seven.png").write_bytes(PNG)
    result = knoll("predict", "digits", tmp_path / "seven.png")
    assert server.asked == [
        ("/v1/models/digits:predict", {"instances": [{"b64": base64.b64encode(PNG).decode()}]})
    ]
    assert result.stdout.splitlines()[0].strip() == "7"
    assert "90.00%" in result.stdout
    assert "digits v000003 answered" in result.stderr


@pytest.mark.parametrize(
    ("given", "instances"),
    [({"instances": [1, 2]}, [1, 2]), ([1, 2], [1, 2]), ({"pixels": [0.5]}, [{"pixels": [0.5]}])],
)
def test_json_is_wrapped_when_it_is_no_request_yet(
    knoll: Knoll, server: Server, given: Any, instances: list[Any]
) -> None:
    """A request goes as it is, a list as the instances, anything else as one instance."""
    result = knoll("predict", "digits", "-", "-o", "json", stdin=json.dumps(given))
    assert server.asked[0][1] == {"instances": instances}
    shown = json.loads(result.stdout)
    assert (shown["model"], shown["version"], shown["predictions"][0]["label"]) == ("digits", "v000003", "7")


def test_a_text_goes_as_it_is_and_its_words_are_weighed_on_request(
    knoll: Knoll, server: Server, tmp_path: Path
) -> None:
    """The heaviest word comes first."""
    (tmp_path / "review.txt").write_bytes("\ufeffFine, bär".encode())
    told = knoll("predict", "digits", tmp_path / "review.txt", "--explain").stdout
    assert server.asked[0][1] == {"instances": ["Fine, bär"], "explain": True}
    assert told.index("awful") < told.index("-2.000") < told.index("fine") < told.index("+0.500")
    (tmp_path / "review.txt").write_bytes(b"b\xe4r")
    assert "review.txt: it is not UTF-8: line 1" in knoll("predict", "digits", tmp_path / "review.txt").stderr


def test_a_seed_asks_for_a_picture_and_saves_it(knoll: Knoll, server: Server, tmp_path: Path) -> None:
    """--seed needs no file, and --out x.png asks for a PNG."""
    result = knoll("predict", "digits", "--seed", "7", "--out", tmp_path / "x.png")
    assert result.exit_code == 0, result.output
    assert server.asked[0][1] == {"instances": [{"seed": 7}]}
    assert (tmp_path / "x.png").read_bytes() == PNG


def test_a_faulty_instance_is_told_with_the_places_that_show_a_right_one(
    knoll: Knoll, server: Server, platform: Platform
) -> None:
    """HTTP 400 says that the request is wrong, so the rollout is no help. Of the answer only the error and a
    short example are shown."""
    refused = knoll("predict", "digits", "-", stdin='["odd"]')
    assert refused.exit_code == 1
    assert "HTTP 400" in refused.stderr
    assert r": instance 0: it has no \x1b[31mcolour" in refused.stderr
    assert 'a right request: {"instances": [7]}; docs/' in refused.stderr
    assert "more" not in refused.stderr
    assert "docs/families/image-classifier.md" in refused.stderr
    assert f"{platform.bucket.root}/models/digits/v000003/samples.json" in refused.stderr
    assert "rollout" not in refused.stderr


def test_what_cannot_be_asked_is_told(
    knoll: Knoll, server: Server, platform: Platform, tmp_path: Path
) -> None:
    """No file and no seed is a usage error; other files, refusals and models that do not serve yet say what
    to do."""
    assert knoll("predict", "digits").exit_code == 2
    for body, told in (
        ("seven", "and is not JSON: line 1, column 1: no value can begin so\n"),
        ("[1,\n 2,,]", "and is not JSON: line 2, column 4: no value can begin so\n"),
        ("[" * 100_000, "and is not JSON: it is nested too deeply\n"),
        ('[{"a": 1, "a": 2}]', "and is not JSON: an object has the key 'a' twice\n"),
        ("[1e999]", "and is not JSON: a number is too large for 64 bits\n"),
        ("[NaN]", "and is not JSON: NaN and Infinity are no JSON numbers\n"),
    ):
        (tmp_path / "notes.md").write_text(body)
        assert told in knoll("predict", "digits", tmp_path / "notes.md").stderr
    refused = knoll("predict", "digits", "-", stdin='["bad"]')
    assert refused.exit_code == 1
    assert "HTTP 500" in refused.stderr
    assert "knoll rollout status digits" in refused.stderr
    platform.cluster.delete("InferenceService", "digits")
    assert knoll("predict", "digits", "--seed", "1").exit_code == 4
    assert "knoll models lists them" in knoll("predict", "digit", "--seed", "1").stderr

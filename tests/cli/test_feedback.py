"""Labels on the command line: one, or a file of them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll
from knoll.cli.feedback_file import read_lines
from knoll.ports import Platform


class Server(ThreadingHTTPServer):
    """A predictor whose answers were all 7; the id "twice" was counted before."""

    asked: list[Any]


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, request["feedback"]))  # type: ignore[attr-defined]
        refused, right, wrong = [], 0, 0
        for index, one in enumerate(request["feedback"]):
            if one["id"] == "twice":
                refused.append({"index": index, "status": 409, "error": "counted before"})
            else:
                right += one["labels"].count("7")
                wrong += len(one["labels"]) - one["labels"].count("7") - one["labels"].count(None)
        sums = {"counted": len(request["feedback"]) - len(refused), "right": right, "wrong": wrong}
        is_bad = len(refused) == len(request["feedback"])
        body = json.dumps(
            {"error": "counted before", "refused": refused} if is_bad else sums | {"refused": refused}
        )
        self.send_response(409 if is_bad else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(knoll: Knoll, platform: Platform, model_file: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answers) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        knoll("apply", "-f", model_file)
        isvc = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "digits"},
            "spec": {},
        }
        created = platform.cluster.create(isvc)
        url = f"http://127.0.0.1:{server.server_port}"
        platform.cluster.update({**created, "status": {"url": url}}, status=True)
        yield server
        server.shutdown()


def test_one_label_is_told(knoll: Knoll, server: Server) -> None:
    done = knoll("feedback", "digits", "--id", "abc", "--label", "7")
    assert (done.exit_code, done.stdout) == (0, "Counted 1 labels: 1 right, 0 wrong\n")
    assert server.asked == [("/v1/models/digits:feedback", [{"id": "abc", "labels": ["7"]}])]


def test_a_file_of_labels_is_told_in_parts_and_what_does_not_count_is_named(
    knoll: Knoll, server: Server, tmp_path: Path
) -> None:
    """A heading, empty lines and labels that are not known are passed over."""
    file = tmp_path / "labels.csv"
    lines = [
        "id,label",
        "a,7",
        "",
        "b, 1",
        "c,7,,3",
        "twice,7",
        *(f"more-{number},7" for number in range(600)),
    ]
    file.write_text("\n".join(lines) + "\n")
    done = knoll("feedback", "digits", file, "-o", "json")
    assert json.loads(done.stdout) == {
        "model": "digits",
        "counted": 603,
        "right": 602,
        "wrong": 2,
        "refused": [{"line": 6, "status": 409, "error": "counted before"}],
    }
    assert done.exit_code == 1
    assert [len(entries) for _, entries in server.asked] == [500, 104]
    assert server.asked[0][1][2] == {"id": "c", "labels": ["7", None, "3"]}
    assert "line 6: counted before" in knoll("feedback", "digits", file).stderr


def test_a_label_that_does_not_count_is_told(knoll: Knoll, server: Server) -> None:
    done = knoll("feedback", "digits", "--id", "twice", "--label", "7")
    assert (done.exit_code, done.stderr) == (1, "counted before\n")


@pytest.mark.parametrize(
    "words", [(), ("--id", "x"), ("--label", "7"), ("FILE", "--id", "x", "--label", "7")]
)
def test_a_file_or_one_id_is_asked_for(knoll: Knoll, tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("a,7\n")
    done = knoll("feedback", "digits", *(file if one == "FILE" else one for one in words))
    assert done.exit_code == 2


@pytest.mark.parametrize(("text", "fault"), [("", "it has no line"), ("a,7\nb\n", "line 2 has no label")])
def test_a_faulty_file_is_refused_before_anything_is_sent(
    knoll: Knoll, server: Server, tmp_path: Path, text: str, fault: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    done = knoll("feedback", "digits", file)
    assert (done.exit_code, fault in done.stderr, server.asked) == (1, True, [])


def test_a_label_may_have_line_breaks_of_its_own(tmp_path: Path) -> None:
    """Only those of CSV end a row, and not what Unicode also calls a line break."""
    file = tmp_path / "labels.csv"
    file.write_bytes('id,label\r\na,x\u2028y\rb,"p\nq"\nc,z\x0c1\n'.encode())
    assert read_lines(file) == {2: ("a", ["x\u2028y"]), 4: ("b", ["p\nq"]), 5: ("c", ["z\x0c1"])}

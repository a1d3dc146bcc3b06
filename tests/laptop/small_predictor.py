"""A predictor of the standard library alone, which behaves as its arguments say."""

import argparse
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--version", default="v1")
parser.add_argument("--delay", type=float, default=0.0, help="seconds until ready")
parser.add_argument("--hang", type=float, default=0.0, help="seconds that each answer takes")
parser.add_argument("--never", action="store_true", help="never ready")
parser.add_argument("--fail", default="", help="last words of a predictor that ends at once")
parser.add_argument("--spoilt", type=Path, help="while this file is there, the predictor refuses to serve")
parser.add_argument("--away", type=Path, help="while this file is there, the store does not answer")
parser.add_argument("--starts", type=Path, required=True, help="file that gets a line with each start")
options = parser.parse_args()
in_flight: list["Handler"] = []
crashed = options.starts.with_suffix(".crashed")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    ready_at = time.monotonic() + options.delay

    def do_GET(self) -> None:
        is_ready = not options.never and time.monotonic() >= self.ready_at
        self.answer(200 if is_ready else 503, {"path": self.path})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if b"crash always" in body or (b"crash once" in body and not crashed.exists()):
            crashed.touch()
            os._exit(3)
        if compared := self.headers["x-knoll-compare"]:
            with options.starts.with_suffix(".compared").open("a") as file:
                print(options.version, compared, file=file)
        time.sleep(options.hang)
        in_flight.append(self)
        count = len(in_flight)
        if b"slow" in body:
            time.sleep(0.5)
        in_flight.remove(self)
        self.answer(
            200,
            {
                "at_once": count,
                "pid": os.getpid(),
                "path": self.path,
                "headers": dict(self.headers),
                "size": len(body),
                "s3": os.environ["S3"],
                "key": os.environ.get("KNOLL_REVISION_KEY"),
            },
        )

    def answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        headers = {
            "x-model-version": options.version,
            "x-knoll-prediction": f"id-of-{options.version}",
            "x-env-revision": os.environ["K_REVISION"],
            "connection": "x-hop",
            "x-hop": "1",
        }
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 200


with options.starts.open("a") as file:
    print(os.getpid(), file=file)
if options.spoilt and options.spoilt.exists():
    print("not what was trained", file=sys.stderr)
    sys.exit(65)
if options.away and options.away.exists():
    print("StoreUnavailable: nothing listens there", file=sys.stderr)
    sys.exit(75)
if options.fail:
    sys.exit(options.fail)
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()

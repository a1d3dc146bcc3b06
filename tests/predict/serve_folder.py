"""A predictor over a bucket in memory that is filled from a folder: python serve_folder.py FOLDER MODEL URI
PORT SINK."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from knoll.adapters.clock import SystemClock
from knoll.adapters.events_http import HttpEvents
from knoll.adapters.memory.store import MemoryStore
from knoll.adapters.predictors_http import HttpPredictors
from knoll.ports import Platform
from knoll.predict.loading import fetch_version
from knoll.predict.predictor import serve
from knoll.settings import read_settings


def main() -> None:
    folder, model, uri, port, sink = sys.argv[1:]
    store = MemoryStore()
    for file in Path(folder).rglob("*.*"):
        store.put(f"s3://models/{file.relative_to(folder).as_posix()}", file.read_bytes())
    no_cluster: Any = None
    platform = Platform(
        store, no_cluster, HttpEvents(sink), HttpPredictors(), SystemClock(), read_settings(sink=sink)
    )
    fetch = partial(fetch_version, store, uri, model, keys=platform.settings.verify_key)
    serve(model, fetch, platform, int(port))


if __name__ == "__main__":
    main()

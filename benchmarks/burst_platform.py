"""The receiver of the burst, as a process of its own that can be killed: `knoll up` itself, or a launcher
that makes a Job of each event.

Each call of a function to the API server adds one line to a file, and a kill does not remove it. Calls of the
laptop's Job runner and model servers are not counted, because on a cluster they are parts of the cluster.
"""

import hashlib
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from knoll.adapters.clock import SystemClock
from knoll.errors import AlreadyExists, NotFound
from knoll.events import Event
from knoll.ingest.notifications import events_from_notification
from knoll.laptop.front import Front, Posted, Reply, listen
from knoll.ports import Cluster, Events, Handler, ObjectStore, Platform
from knoll.settings import Settings, read_settings
from knoll.wiring import laptop
from knoll.wiring.platform import build_platform, documents
from knoll.wiring.stages import STAGES

_CALLS = ("create", "get", "list", "update", "delete")


_working_on: ContextVar[str] = ContextVar("working_on", default="notification")


class Counted:
    """A cluster that writes down each call, with the type of the event that caused it."""

    def __init__(self, behind: Cluster, file: Path) -> None:
        self._behind, self._file = behind, os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __getattr__(self, name: str) -> Any:
        if name in _CALLS:
            os.write(self._file, f"{_working_on.get()} {name}\n".encode())
        return getattr(self._behind, name)


class Launcher:
    """Does what Knative's JobSink does with each event: it asks for the Job of that name, and creates it if
    there is none.

    The name is the md5 of source and id. JobSink's label selector is a get here, which costs less. Its Secret
    is one more call for each event; the laptop has none.
    """

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def take(self, _: Mapping[str, str], body: bytes) -> Reply:
        """Accept the events of a notification."""
        for event in events_from_notification(body, SystemClock().now().isoformat()):
            name = (
                "sink" + hashlib.md5(f"{event.source}{event.id}".encode(), usedforsecurity=False).hexdigest()
            )
            try:
                self._cluster.get("Job", name)
            except NotFound:
                with suppress(AlreadyExists):
                    self._cluster.create(_job(name))
        return 202, {}, b""


def main() -> None:
    """`burst_platform.py ours|peer FILE`: serve until killed. The environment has the settings. FILE gets a
    line for each call."""
    who, file = sys.argv[1], Path(sys.argv[2])
    settings = read_settings()
    if who == "ours":
        stages = {name: replace(one, handle=partial(_note, one.handle)) for name, one in STAGES.items()}
        with (
            patch.object(laptop, "build_platform", partial(_build_counted, file)),
            patch.object(laptop, "STAGES", stages),
        ):
            laptop.run(settings, lambda _: None)
    else:
        _launch(settings, file)


def _build_counted(file: Path, settings: Settings, events: Events, store: ObjectStore) -> Platform:
    platform = build_platform(settings, events, store=store)
    counted: Any = Counted(platform.cluster, file)
    return replace(platform, cluster=counted)


def _note(handler: Handler, event: Event, platform: Platform) -> Event | None:
    """Work on an event, so that its calls are counted under its type."""
    before = _working_on.set(event.type)
    try:
        return handler(event, platform)
    finally:
        _working_on.reset(before)


def _launch(settings: Settings, file: Path) -> None:
    launcher = Launcher(Counted(documents(settings), file))
    take = launcher.take
    front = Front(
        listen(settings.port), token=settings.token, broker=take, functions={"ingest": Posted(take)}
    )
    front.start()
    signal.pause()


def _job(name: str) -> dict[str, Any]:
    container = {"name": "job", "image": "knoll-trainer", "resources": {"limits": {"cpu": "1000"}}}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


if __name__ == "__main__":
    main()

"""Entry point of the trainer image: `knoll-trainer RUN` inside a Job, `knoll-trainer` inside the Job of a
Knative JobSink.

A run of several processes is started by torchrun, as a child that calls this entry point again, once for each
process; or by whoever has called torchrun already.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from knoll.errors import Rejected, Unavailable
from knoll.events import Event, run_asked_for
from knoll.events.http import event_from_http
from knoll.exits import REJECTED, UNAVAILABLE
from knoll.records.run import Run, read_run
from knoll.settings import Settings, read_settings
from knoll.trainer.launch import launch
from knoll.trainer.report import say
from knoll.wiring.platform import function_platform, service_platform

__all__ = ["main"]


def main() -> None:
    """Train the run that the only argument names, or the event of a JobSink, and exit as the Job's failure
    policy understands it."""
    try:
        code = _carry_out(sys.argv[1:], read_settings())
    except Unavailable as error:
        say(f"not available: {error}")
        code = UNAVAILABLE
    except Rejected as error:
        say(f"rejected: {error}")
        code = REJECTED
    sys.exit(code)


def _carry_out(arguments: Sequence[str], settings: Settings) -> int:
    sink = settings.event_path  # what a JobSink does not say, its namespace does
    platform = function_platform(settings) if sink else service_platform(settings)
    if len(arguments) == 1:
        run_id = arguments[0]
    elif sink and not arguments:
        run_id = run_asked_for(_read_event(sink))
    else:
        sys.exit("usage: knoll-trainer RUN, or K_EVENT_PATH=FILE knoll-trainer")
    if settings.rank is None:
        run = read_run(run_id, platform.bucket)
        _check_nodes(run, settings)
        if run.processes > 1:
            return launch(run, platform, ["-m", "knoll.wiring.trainer", run.id])
    # torch takes seconds and memory, and torchrun's parent needs neither
    from knoll.trainer.run import train

    return train(run_id, platform)


def _check_nodes(run: Run, settings: Settings) -> None:
    if settings.event_path and run.nodes > 1:
        raise Rejected(
            f"run {run.id} wants {run.nodes} nodes, and a JobSink starts one",
            fix="leave it to knoll-train, or set nodes to 1",
        )


def _read_event(path: Path) -> Event:
    """The event in the file, or in the file `event` of the folder: Knative's documents say the one, its
    JobSink sets the other."""
    try:
        body = (path / "event" if path.is_dir() else path).read_bytes()
    except OSError as error:
        raise Rejected(
            f"no event can be read from {path}: {error}", fix="set K_EVENT_PATH to the file of a CloudEvent"
        ) from error
    return event_from_http({"content-type": "application/cloudevents+json"}, body)


if __name__ == "__main__":
    main()

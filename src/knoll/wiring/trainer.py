"""Entry point of the trainer image: `knoll-trainer RUN` in a Job, `knoll-trainer` in the Job of a Knative
JobSink.

For a run of several processes it starts torchrun, which calls this entry point again for each process. If
torchrun called it, it starts nothing.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from knoll.errors import Rejected, Unavailable
from knoll.events import Event, run_asked_for
from knoll.events.http import event_from_http
from knoll.exits import REJECTED, UNAVAILABLE
from knoll.headers import CONTENT_TYPE
from knoll.media_types import CLOUD_EVENT
from knoll.records.run import Run, read_run
from knoll.settings import Settings, read_settings
from knoll.trainer.launch import launch
from knoll.trainer.report import say
from knoll.trainer.signing import find_signer
from knoll.wiring.logs import escape_logs
from knoll.wiring.platform import function_platform, process_platform

__all__ = ["main"]


def main() -> None:
    """Train the run that the argument names, or the event of a JobSink, and exit with a code of `exits`. A
    trainer that could not sign what it makes does not begin."""
    escape_logs()
    try:
        code = _carry_out(sys.argv[1:], read_settings())
    except Unavailable as error:
        say(f"not available: {error}" + (f" ({error.fix})" if error.fix else ""))
        code = UNAVAILABLE
    except Rejected as error:
        say(f"rejected: {error}")
        code = REJECTED
    sys.exit(code)


def _carry_out(arguments: Sequence[str], settings: Settings) -> int:
    find_signer(settings)
    sink = settings.event_path  # a JobSink sets no settings: they come from its namespace
    platform = function_platform(settings) if sink else process_platform(settings)
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
    # imported late: torch takes seconds and memory, and the parent of torchrun needs none
    from knoll.trainer.run import train

    return train(run_id, platform)


def _check_nodes(run: Run, settings: Settings) -> None:
    if settings.event_path and run.nodes > 1:
        raise Rejected(
            f"run {run.id} wants {run.nodes} nodes, but a JobSink starts one",
            fix="let the function knoll-train start it, or set spec.training.nodes to 1",
        )


def _read_event(path: Path) -> Event:
    """The event in the file, or in the file `event` of the folder. Knative's documents name a file; its
    JobSink sets a folder."""
    try:
        body = (path / "event" if path.is_dir() else path).read_bytes()
    except OSError as error:
        raise Rejected(
            f"no event can be read from {path}: {error.strerror}",
            fix="set K_EVENT_PATH to the file of a CloudEvent",
        ) from error
    return event_from_http({CONTENT_TYPE: CLOUD_EVENT}, body)


if __name__ == "__main__":
    main()

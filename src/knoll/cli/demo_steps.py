"""The steps of the stories that `knoll demo` tells, each with the command that a user would type."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from knoll.cli.apply import apply_files, hints
from knoll.cli.child import wait_until
from knoll.cli.options import Output
from knoll.cli.predict import ask
from knoll.cli.rollout import watch_rollout
from knoll.cli.runs import watch_runs
from knoll.cli.session import errors_out, stdout
from knoll.cli.traffic import Traffic, traffic
from knoll.cli.upload_plan import plan_upload
from knoll.cli.upload_send import send
from knoll.errors import KnollError
from knoll.models import parse_model
from knoll.views.models import find_model, serves
from knoll.views.units import duration

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = [
    "FIRST",
    "SECOND",
    "Up",
    "asked_meanwhile",
    "declare",
    "heading",
    "next_lines",
    "platform_up",
    "roll_out",
    "say",
    "show_end",
    "train",
    "upload",
    "write_data",
]

FIRST, SECOND = "v000001", "v000002"
Up = Callable[["Settings"], AbstractContextManager[None]]


@contextmanager
def platform_up(settings: "Settings", up: Up) -> "Iterator[Platform]":
    """The ports of a platform that runs until the block is left."""
    from knoll.wiring.platform import user_platform

    heading(
        "1. Start the platform",
        f"knoll --home {settings.home} up",
        "S3 server, broker, functions, job runner, model gateway",
    )
    with up(settings):
        platform = user_platform(settings)
        say(f"S3 at {platform.settings.s3_endpoint}, predictions at {platform.settings.url}")
        yield platform


def declare(platform: "Platform", file: Path, title: str = "2. Declare a model") -> str:
    """Apply the Model in the file, and return its name."""
    heading(title, f"knoll apply -f {file}")
    (applied,) = apply_files(platform, [str(file)])
    name = applied.model.name
    say(f"model/{name} {applied.result}: its family, where its data lands, its gate and its rollout")
    for hint in hints(platform, [applied]):
        errors_out().print(hint)
    return name


def write_data(example: Path, folder: Path, *options: str) -> Path:
    """The folder, with real data that the example's own script has written. Raises KnollError if it fails."""
    command = [sys.executable, str(example / "data.py"), str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KnollError(
            f"{example / 'data.py'} failed: {done.stderr.strip()[-1000:]}",
            fix="pip install 'knoll[examples]'",
        )
    return folder


def upload(platform: "Platform", name: str, folder: Path, title: str) -> None:
    """Upload all files in the folder."""
    heading(title, f"knoll upload {name} {folder}")
    model = parse_model(find_model(platform, name).document)
    plan = plan_upload(model, [folder], [], replace=False)
    send(platform, model, plan)
    say(f"{len(plan.items)} files lie under {model.dataset.uri}; the marker was written last")


def train(platform: "Platform", name: str, title: str, patience: float) -> None:
    """Watch the training. Raises KnollError if it does not succeed within `patience` seconds."""
    heading(title, f"knoll runs {name} -w")
    last = watch_runs(platform, name, Output.table, patience)
    if last.state != "Succeeded":
        raise KnollError(
            f"run {last.run.id}: {last.state}: {last.reason}", fix=f"knoll runs logs {last.run.id}"
        )


def roll_out(platform: "Platform", name: str, version: str, title: str, patience: float) -> None:
    """Watch the rollout until the version serves. Raises KnollError if another one does after `patience`
    seconds."""
    heading(title, f"knoll rollout status {name} -w")
    last = watch_rollout(platform, name, Output.table, patience)
    verdict = last.decision
    if verdict and last.is_bad:
        raise KnollError(
            f"{name} {version}: {verdict.action}: {verdict.reason}", fix=f"knoll why {name} {version}"
        )
    wait_until(lambda: serves(find_model(platform, name), version), 60, f"{version} to serve at 100 %")
    say(f"{name} {version} serves at 100 %")


@contextmanager
def asked_meanwhile(platform: "Platform", name: str, request: Mapping[str, Any]) -> Iterator[Traffic]:
    """Predictions go on until the block is left; then say how many, and who answered."""
    ask(platform, name, dict(request))
    with traffic(lambda: ask(platform, name, dict(request))) as seen:
        yield seen
    answered = ", ".join(f"{version} {count}" for version, count in sorted(seen.versions.items()))
    say(
        f"Meanwhile {seen.versions.total()} predictions were answered ({answered}), "
        f"{len(seen.errors)} failed."
    )


def show_end(told: str, errors: list[str], seconds: float, example: str) -> None:
    """Say how long it took, what came out and what to type next. Raises KnollError if a prediction failed."""
    heading("Done", f"in {duration(seconds)}; nothing is left running")
    say(f"{told}; {len(errors)} failed predictions.")
    if errors:
        raise KnollError(f"{len(errors)} predictions failed during the rollout, the first: {errors[0]}")
    say("Try next:")
    for line in next_lines(Path(sys.prefix), example, is_found=shutil.which("knoll") is not None):
        say(f"  {line}")


def next_lines(prefix: Path, example: str, *, is_found: bool) -> tuple[str, ...]:
    """What to type next. If the shell does not find `knoll`, the first line makes it find the one under this
    Python's `prefix`."""
    file = f"examples/{example}/model.yaml"
    lines = ("knoll up", 'eval "$(knoll env)"', f"knoll apply -f {file}", "knoll --help")
    if is_found:
        return lines
    folder = prefix / "bin"
    if not (folder / "activate").exists():
        return (f'export PATH={shlex.quote(str(folder))}:"$PATH"', *lines)
    activate = min(str(folder / "activate"), os.path.relpath(folder / "activate"), key=len)
    return (f". {shlex.quote(activate)}", *lines)


def heading(title: str, *details: str) -> None:
    """Print the title of a step, and its command."""
    stdout().print(Text.assemble("\n", (title, "bold"), "  ", ("  —  ".join(details), "dim")))


def say(text: str) -> None:
    """Print a sentence."""
    stdout().print(text, soft_wrap=True)

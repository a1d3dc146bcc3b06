"""The story that `knoll demo` tells: two uploads, two versions, one canary, and predictions all the time."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from knoll.cli.apply import apply_files, hints
from knoll.cli.child import wait_until
from knoll.cli.drawing import draw
from knoll.cli.options import Output
from knoll.cli.predict import ask, curl_line
from knoll.cli.prediction_words import picture_of
from knoll.cli.render.trail import trail_tree
from knoll.cli.rollout import watch_rollout
from knoll.cli.runs import watch_runs
from knoll.cli.session import errors_out, stdout
from knoll.cli.traffic import traffic
from knoll.cli.upload_plan import plan_upload
from knoll.cli.upload_send import send
from knoll.client.given import of_bytes
from knoll.errors import KnollError
from knoll.families.held_out import held_out
from knoll.models import parse_model
from knoll.views.models import find_model, serves
from knoll.views.trail import read_trail
from knoll.views.units import duration
from knoll.views.versions import read_version

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = ["next_lines", "tell"]

_ACCURACY = 0.95  # the bar for UCI digits
_HELD_OUT = 0.2  # the part that the image classifier holds out unless its config says otherwise
_PATIENCE = 240.0  # seconds for each training and each rollout, on a busy machine
_FIRST, _SECOND = "v000001", "v000002"


def tell(
    settings: "Settings",
    up: "Callable[[Settings], AbstractContextManager[None]]",
    example: Path,
    data: Path,
    started: float,
) -> None:
    """Run the loop in the home of these settings, with the Model and data of `example`. Raises KnollError if
    the accuracy is too low or a prediction failed."""
    from knoll.wiring.platform import user_platform

    _heading(
        "1. Start the platform",
        f"knoll --home {settings.home} up",
        "S3 server, broker, functions, job runner, model gateway",
    )
    with up(settings):
        platform = user_platform(settings)
        _say(f"S3 at {platform.settings.s3_endpoint}, predictions at {platform.settings.url}")
        name = _declare(platform, example / "model.yaml")
        _make_first_version(platform, name, _write_data(example, data, "first"))
        request = _request(min((data / "first").rglob("*.png")))
        errors = _make_second_version(platform, name, _write_data(example, data, "second"), request)
        _predict(platform, name, _held_out(data))
        _heading("10. Where this version comes from", f"knoll why {name}")
        stdout().print(trail_tree(read_trail(platform, name)))
        accuracy = read_version(platform, name, _SECOND).manifest.metrics.get("accuracy", 0.0)
    _show_verdict(accuracy, errors, time.monotonic() - started)


def _make_first_version(platform: "Platform", name: str, folder: Path) -> None:
    _upload(platform, name, folder, "3. Upload the first part of the data")
    _train(platform, name, "4. The upload has started a training")
    _roll_out(platform, name, _FIRST, "5. The version is verified, warmed up and put to work")


def _make_second_version(platform: "Platform", name: str, folder: Path, request: dict[str, Any]) -> list[str]:
    """Upload more data while predictions go on; returns the errors of those."""
    ask(platform, name, request)
    with traffic(lambda: ask(platform, name, request)) as seen:
        _upload(platform, name, folder, "6. More data lands, while predictions go on")
        _train(platform, name, "7. So there is a second version")
        _roll_out(platform, name, _SECOND, "8. It gets a part of the traffic first, then all of it")
    answered = ", ".join(f"{version} {count}" for version, count in sorted(seen.versions.items()))
    _say(
        f"Meanwhile {seen.versions.total()} predictions were answered ({answered}), "
        f"{len(seen.errors)} failed."
    )
    return seen.errors


def _declare(platform: "Platform", file: Path) -> str:
    _heading("2. Declare a model", f"knoll apply -f {file}")
    (applied,) = apply_files(platform, [str(file)])
    name = applied.model.name
    _say(f"model/{name} {applied.result}: its family, where its data lands, its gate and its rollout")
    for hint in hints(platform, [applied]):
        errors_out().print(hint)
    return name


def _write_data(example: Path, data: Path, part: str) -> Path:
    """A part of the real data, written by the example's own script."""
    folder = data / part
    command = [sys.executable, str(example / "data.py"), str(folder), "--part", part]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KnollError(
            f"{example / 'data.py'} failed: {done.stderr.strip()[-1000:]}",
            fix="pip install 'knoll[examples]'",
        )
    return folder


def _upload(platform: "Platform", name: str, folder: Path, title: str) -> None:
    _heading(title, f"knoll upload {name} {folder}")
    model = parse_model(find_model(platform, name).document)
    plan = plan_upload(model, [folder], [], replace=False)
    send(platform, model, plan)
    _say(f"{len(plan.items)} files lie under {model.dataset.uri}; the marker was written last")


def _train(platform: "Platform", name: str, title: str) -> None:
    _heading(title, f"knoll runs {name} -w")
    last = watch_runs(platform, name, Output.table, _PATIENCE)
    if last.state != "Succeeded":
        raise KnollError(
            f"run {last.run.id}: {last.state}: {last.reason}", fix=f"knoll runs logs {last.run.id}"
        )


def _roll_out(platform: "Platform", name: str, version: str, title: str) -> None:
    _heading(title, f"knoll rollout status {name} -w")
    last = watch_rollout(platform, name, Output.table, _PATIENCE)
    verdict = last.decision
    if verdict and last.is_bad:
        raise KnollError(
            f"{name} {version}: {verdict.action}: {verdict.reason}", fix=f"knoll why {name} {version}"
        )
    wait_until(lambda: serves(find_model(platform, name), version), 60, f"{version} to serve at 100 %")
    _say(f"{name} {version} serves at 100 %")


def _held_out(data: Path) -> Path:
    """A picture of the second part that the trainer held out; chosen by the trainer's rule."""
    paths = {
        path.relative_to(folder).as_posix(): path
        for folder in sorted(data.iterdir())
        for path in sorted(folder.rglob("*.png"))
    }
    chosen = held_out(list(paths), [Path(key).parts[0] for key in paths], _HELD_OUT)
    return next(
        path
        for path, is_test in zip(paths.values(), chosen, strict=True)
        if is_test and path.is_relative_to(data / "second")
    )


def _request(picture: Path) -> dict[str, Any]:
    return of_bytes(picture.name, picture.read_bytes())


def _predict(platform: "Platform", name: str, picture: Path) -> None:
    _heading(
        "9. Ask for a prediction of a digit that it has not seen", f"knoll predict {name} {picture.name}"
    )
    request = _request(picture)
    answer = ask(platform, name, request)
    stdout().print(draw(picture.read_bytes()))
    stdout().print(picture_of(json.loads(answer.body)["predictions"][0]))
    _say(
        f"{name} {answer.version} answered in {answer.seconds * 1000:.0f} ms. The same with curl, while "
        "the platform runs:"
    )
    _say(curl_line(platform.settings.url, name, request))


def _show_verdict(accuracy: float, errors: list[str], seconds: float) -> None:
    _heading("Done", f"in {duration(seconds)}; nothing is left running")
    _say(f"Held-out accuracy {accuracy:.4f}; {len(errors)} failed predictions.")
    if not accuracy >= _ACCURACY:
        raise KnollError(f"the held-out accuracy is {accuracy:.4f}, the bar is {_ACCURACY}")
    if errors:
        raise KnollError(f"{len(errors)} predictions failed during the rollout, the first: {errors[0]}")
    _say("Try next:")
    for line in next_lines(Path(sys.prefix), is_found=shutil.which("knoll") is not None):
        _say(f"  {line}")


def next_lines(prefix: Path, *, is_found: bool) -> tuple[str, ...]:
    """What to type next. If the shell does not find `knoll`, the first line makes it find the one under this
    Python's `prefix`."""
    lines = ("knoll up", 'eval "$(knoll env)"', "knoll apply -f examples/digits/model.yaml", "knoll --help")
    if is_found:
        return lines
    folder = prefix / "bin"
    if not (folder / "activate").exists():
        return (f'export PATH={shlex.quote(str(folder))}:"$PATH"', *lines)
    activate = min(str(folder / "activate"), os.path.relpath(folder / "activate"), key=len)
    return (f". {shlex.quote(activate)}", *lines)


def _heading(title: str, *details: str) -> None:
    stdout().print(Text.assemble("\n", (title, "bold"), "  ", ("  —  ".join(details), "dim")))


def _say(text: str) -> None:
    stdout().print(text, soft_wrap=True)

"""The story of digits that `knoll demo` tells: two uploads, two versions, one canary, and predictions all the
time."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knoll.cli.demo_steps import (
    FIRST,
    SECOND,
    Up,
    asked_meanwhile,
    declare,
    heading,
    platform_up,
    roll_out,
    say,
    show_end,
    train,
    upload,
    write_data,
)
from knoll.cli.drawing import draw
from knoll.cli.predict import ask, curl_line
from knoll.cli.prediction_words import picture_of
from knoll.cli.render.trail import trail_tree
from knoll.cli.session import stdout
from knoll.client.given import of_bytes
from knoll.errors import KnollError
from knoll.families.held_out import held_out
from knoll.views.trail import read_trail
from knoll.views.versions import read_version

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = ["tell"]

_ACCURACY = 0.95  # the bar for UCI digits
_HELD_OUT = 0.2  # the part that the image classifier holds out unless its config says otherwise
_PATIENCE = 240.0  # seconds for each training and each rollout, on a busy machine


def tell(settings: "Settings", up: Up, example: Path, data: Path, started: float) -> None:
    """Run the loop in the home of these settings, with the Model and data of `example`. Raises KnollError if
    the accuracy is too low or a prediction failed."""
    with platform_up(settings, up) as platform:
        name = declare(platform, example / "model.yaml")
        _make_first_version(platform, name, write_data(example, data / "first", "--part", "first"))
        request = _request(min((data / "first").rglob("*.png")))
        errors = _make_second_version(
            platform, name, write_data(example, data / "second", "--part", "second"), request
        )
        _predict(platform, name, _held_out(data))
        heading("10. Where this version comes from", f"knoll why {name}")
        stdout().print(trail_tree(read_trail(platform, name)))
        accuracy = read_version(platform, name, SECOND).manifest.metrics.get("accuracy", 0.0)
    if not accuracy >= _ACCURACY:
        raise KnollError(f"the held-out accuracy is {accuracy:.4f}, the bar is {_ACCURACY}")
    show_end(f"Held-out accuracy {accuracy:.4f}", errors, time.monotonic() - started, example.name)


def _make_first_version(platform: "Platform", name: str, folder: Path) -> None:
    upload(platform, name, folder, "3. Upload the first part of the data")
    train(platform, name, "4. The upload has started a training", _PATIENCE)
    roll_out(platform, name, FIRST, "5. The version is verified, warmed up and put to work", _PATIENCE)


def _make_second_version(platform: "Platform", name: str, folder: Path, request: dict[str, Any]) -> list[str]:
    """Upload more data while predictions go on; returns the errors of those."""
    with asked_meanwhile(platform, name, request) as seen:
        upload(platform, name, folder, "6. More data lands, while predictions go on")
        train(platform, name, "7. So there is a second version", _PATIENCE)
        roll_out(platform, name, SECOND, "8. It gets a part of the traffic first, then all of it", _PATIENCE)
    return seen.errors


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
    heading("9. Ask for a prediction of a digit that it has not seen", f"knoll predict {name} {picture.name}")
    request = _request(picture)
    answer = ask(platform, name, request)
    stdout().print(draw(picture.read_bytes()))
    stdout().print(picture_of(json.loads(answer.body)["predictions"][0]))
    say(
        f"{name} {answer.version} answered in {answer.seconds * 1000:.0f} ms. The same with curl, while "
        "the platform runs:"
    )
    say(curl_line(platform.settings.url, name, request))

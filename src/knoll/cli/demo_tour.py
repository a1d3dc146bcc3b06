"""The story of any other family that `knoll demo FAMILY` tells: a version, another one by canary, and an
answer that can be seen."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

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
from knoll.cli.session import stdout
from knoll.media_types import PNG
from knoll.views.units import numbers
from knoll.views.versions import read_sample, read_version

if TYPE_CHECKING:
    from knoll.ports import Platform
    from knoll.settings import Settings

__all__ = ["tour"]

_PATIENCE = 900.0  # seconds for each training and each rollout, on a busy machine
_DRAWN = 32  # characters, two for each pixel
_LONGEST = 300  # characters of a request


def tour(settings: "Settings", up: Up, example: Path, data: Path, started: float, answers: str) -> None:
    """Run the loop in the home of these settings, with Model and data of `example`. `answers` is the media
    type of an answer that can be seen. Raises KnollError if a training, a rollout or a prediction failed."""
    with platform_up(settings, up) as platform:
        name = declare(platform, example / "model.yaml")
        upload(platform, name, write_data(example, data / "all"), "3. Upload the data")
        train(platform, name, "4. The upload has started a training", _PATIENCE)
        roll_out(platform, name, FIRST, "5. The version is verified, warmed up and put to work", _PATIENCE)
        sample = read_sample(platform, name, FIRST)
        request = {"instances": [sample.instance]}
        with asked_meanwhile(platform, name, request) as seen:
            declare(
                platform, _with_another_seed(example, data), "6. Change the seed, while predictions go on"
            )
            train(platform, name, "7. So there is a second version", _PATIENCE)
            title = "8. It gets a part of the traffic first, then all of it"
            roll_out(platform, name, SECOND, title, _PATIENCE)
        _predict(platform, name, request, answers)
        metrics = read_version(platform, name, SECOND).manifest.metrics
    show_end(f"On held-out data: {numbers(metrics)}", seen.errors, time.monotonic() - started, example.name)


def _with_another_seed(example: Path, data: Path) -> Path:
    """A file with the Model of the example, trained with another seed."""
    document = yaml.safe_load((example / "model.yaml").read_text())
    config = document["spec"]["training"].setdefault("config", {})
    config["seed"] = config.get("seed", 0) + 1
    file = data / "model.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def _predict(platform: "Platform", name: str, request: dict[str, Any], answers: str) -> None:
    file = platform.settings.home / "request.json"
    file.write_text(json.dumps(request, ensure_ascii=False))
    heading("9. Ask for a prediction of an example that it has not seen", f"knoll predict {name} {file}")
    asked = json.dumps(request["instances"][0], ensure_ascii=False)
    is_short = len(asked) <= _LONGEST
    say(asked if is_short else f"{asked[:_LONGEST]}… ({len(asked):,} characters)")
    answer = ask(platform, name, request, accept=answers)
    if answers == PNG:
        stdout().print(draw(answer.body, _DRAWN))
    else:
        stdout().print(picture_of(json.loads(answer.body)["predictions"][0]))
    say(f"{name} {answer.version} answered in {answer.seconds * 1000:.0f} ms.")
    if is_short:
        say(
            f"The same with curl, while the platform runs:\n{curl_line(platform.settings.url, name, request)}"
        )

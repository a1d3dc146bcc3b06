"""Ids and labels, read from a CSV file, and sent to a model in parts."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knoll.cli.input_file import read_input
from knoll.cli.predict import base_url_of
from knoll.errors import InvalidData, KnollError

if TYPE_CHECKING:
    from knoll.ports import Platform, PredictAnswer

__all__ = ["Told", "read_lines", "tell"]

Lines = Mapping[int, tuple[str, Sequence[str]]]
_AT_ONCE = 500
_HEADING = "id"
_LARGEST = 64 * 2**20  # bytes of a file: about a million lines
_CSV = "give a CSV of ids and labels"


@dataclass(frozen=True)
class Told:
    """How many answers were counted, how many labels agree with them, and which lines do not count."""

    counted: int = 0
    right: int = 0
    wrong: int = 0
    refused: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def read_lines(file: Path) -> Lines:
    """Id and labels of each row of a CSV file, by the number of its line, or of the last one if a text in
    quotes has several. A heading is passed over. Raises InvalidData, and KnollError if the file cannot be
    read."""
    try:
        text = read_input(file, _LARGEST, _CSV).decode("utf-8-sig")
        reader = csv.reader(StringIO(text, newline=""))
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{file}: it is no text in UTF-8, or no CSV", fix=_CSV) from error
    lines = {
        number: (row[0].strip(), [one.strip() for one in row[1:]])
        for number, row in rows
        if row and row[0].strip().lower() != _HEADING
    }
    bare = [number for number, (_, labels) in lines.items() if not any(labels)]
    if bare or not lines:
        place = f"line {bare[0]} has no label" if bare else "it has no line"
        raise InvalidData(f"{file}: {place}", fix="each line has an id, a comma, and a label")
    return lines


def tell(platform: "Platform", model: str, lines: Lines) -> Told:
    """Send ids and labels to the model's URL. Raises NotFound if nothing serves, KnollError if there is no
    answer."""
    base, told = base_url_of(platform, model), Told()
    for numbers in _parts(lines):
        entries = [
            {"id": lines[one][0], "labels": [label or None for label in lines[one][1]]} for one in numbers
        ]
        answer = _send(platform, base, model, json.dumps({"feedback": entries}).encode())
        told = _plus(told, answer, numbers)
    return told


def _parts(lines: Lines) -> Iterator[Sequence[int]]:
    numbers = sorted(lines)
    return (numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE))


def _send(platform: "Platform", base: str, model: str, body: bytes) -> Mapping[str, Any]:
    from knoll.ports import PredictRequest

    answer = platform.predictors.predict(PredictRequest(base, model, body, verb="feedback"))
    found = _document(answer)
    if answer.status != 200 and "refused" not in found:
        from knoll.client.refusals import told_in

        told = told_in(answer.status, answer.body, place=base)
        raise KnollError(f"feedback for {model}: {told}", fix=f"knoll rollout status {model}")
    return found


def _document(answer: "PredictAnswer") -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _plus(told: Told, answer: Mapping[str, Any], numbers: Sequence[int]) -> Told:
    refused = [
        {"line": numbers[one["index"]], "status": one["status"], "error": one["error"]}
        for one in answer.get("refused", ())
    ]
    return replace(
        told,
        counted=told.counted + answer.get("counted", 0),
        right=told.right + answer.get("right", 0),
        wrong=told.wrong + answer.get("wrong", 0),
        refused=(*told.refused, *refused),
    )

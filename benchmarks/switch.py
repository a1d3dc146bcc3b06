"""A hundred rollouts in a row under load: good versions, and between them bad ones of four kinds.

`knoll up`, its S3 server, its gateway and the predictors are real, and so are the versions: published and
signed as a trainer does it, only not trained. Clients ask all the time, every second one with a picture on
which failing versions fail. Each version is published when the rollout before has ended. After the last
rollout the clients go on until they have sent enough requests.

A failed request counts unless a failing version has answered it itself. A version that is rolled back or held
must get its last request within two seconds of the decision, by the time of its record. After Ctrl-C the
results so far are shown.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from results import Goal, Measured, print_goals
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from knoll.installation import SIGN_FILE
from loop.conftest import Laptop
from support.candidates import KINDS, LABELS, Kind, marked, picture
from support.load import Answered, Load, Question, ask, asking, questions
from support.models import model_document
from support.trials import (
    MOMENT,
    Trial,
    failed_by_a_switch,
    seconds_until_nothing,
    sent_too_late,
    try_candidate,
)

_MODEL = "shop"
_ROLLOUT = {"steps": [50], "minRequests": 20, "bake": "1s", "idle": "hold"}
_FASTEST = 10_000.0  # requests a second, which no machine answers
_TICK = "10"  # seconds: nothing may have to wait for one
_PATIENCE = 300.0  # seconds until the platform is up, on a busy machine


@dataclass
class Seen:
    """What came of it: the rollouts after the first one, in their order, how many of them left another digest
    than the expected one to serve, and all requests. `stuck` says why not all was measured."""

    trials: list[Trial] = field(default_factory=list)
    wrong_digests: int = 0
    answered: Sequence[Answered] = ()
    stuck: str = ""


def order(rollouts: int) -> list[Kind]:
    """Good ones and bad ones in turn, the bad ones of all kinds in turn."""
    bad = cycle(one for one in KINDS if one != "good")
    return ["good" if number % 2 else next(bad) for number in range(rollouts)]


def asked() -> list[Question]:
    """Pictures of all labels, every second one marked."""
    shown = [
        (picture(label, 1000 + seed), LABELS[label]) for seed in range(4) for label in range(len(LABELS))
    ]
    return questions((change(body), label) for body, label in shown for change in (bytes, marked))


@contextmanager
def platform(home: Path) -> Iterator[Laptop]:
    """`knoll up` in this folder, with the Model, until the block is left."""
    laptop = Laptop(home, _until, {"KNOLL_TICK": _TICK})
    laptop.up()
    try:
        gate = {"metric": "accuracy", "atLeast": 0.9}
        laptop.platform.cluster.create(model_document(_MODEL, rollout=_ROLLOUT, gate=gate))
        yield laptop
    finally:
        laptop.down()


def measure(laptop: Laptop, rollouts: int, requests: int, rate: float) -> Seen:
    """Roll out one version after the other, until all are through or one is stuck."""
    seen, url, wanted = Seen(), laptop.platform.settings.url, asked()
    key = (laptop.home / "signing" / SIGN_FILE).read_text()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        asking(url, _MODEL, wanted, rate) as load,
    ):
        done, sent = bar.add_task("rollouts", total=rollouts), bar.add_task("requests", total=requests)
        try:
            digest = try_candidate("good", _MODEL, laptop.platform, key).pin
            load.answered.clear()  # nobody could answer before the first version
            for kind in order(rollouts):
                trial = try_candidate(kind, _MODEL, laptop.platform, key)
                digest = trial.pin if kind == "good" else digest
                seen.trials.append(trial)
                seen.wrong_digests += not (trial.champion_pin == digest and _serves(digest, url, wanted[0]))
                bar.advance(done)
                bar.update(sent, completed=len(load.answered))
            _finish(load, requests, lambda count: bar.update(sent, completed=count))
        except TimeoutError as error:
            seen.stuck = str(error)
        except KeyboardInterrupt:
            seen.stuck = "stopped"
    return replace(seen, answered=tuple(load.answered))


def _finish(load: Load, requests: int, show: Callable[[int], None]) -> None:
    """Let the clients go on, as fast as they can, until there are enough requests."""
    load.rate = _FASTEST
    while len(load.answered) < requests:
        show(len(load.answered))
        time.sleep(0.2)
    show(len(load.answered))


def _serves(digest: str, url: str, question: Question) -> bool:
    """Whether the version of this digest answers now, or in a moment: the gateway follows what is decided."""
    connection, deadline = HTTPConnection(urlsplit(url).netloc, timeout=60), time.monotonic() + MOMENT
    try:
        while ask(connection, _MODEL, question).digest != digest:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True
    finally:
        connection.close()


def _until(condition: Callable[[], object], seconds: float = 0.0) -> None:
    patience = max(seconds, _PATIENCE)
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the platform is not up within {patience:.0f} s")
        time.sleep(0.02)


def show(seen: Seen, rollouts: int, requests: int) -> int:
    """Print a table, and last the goals; 1 if one is missed."""
    table = Table("version", "rollouts", "promoted", "rolled back", "held", "s, median", "s, p95")
    for name in ("requests to it", "failed", "s to its last one, at most"):
        table.add_column(name)
    for kind in KINDS:
        if trials := [one for one in seen.trials if one.kind == kind]:
            table.add_row(kind, *_row(trials, seen.answered))
    console = Console(width=120)
    console.print(table)
    failed = failed_by_a_switch(seen.answered, seen.trials)
    _tell(seen, failed)
    withdrawn = [one for one in seen.trials if one.action != "Promote"]
    longest = max((seconds_until_nothing(seen.answered, one) for one in withdrawn), default=0.0)
    late = sum(sent_too_late(seen.answered, one) for one in withdrawn)
    return print_goals(
        [
            Goal(
                "rollouts that ended otherwise", rollouts - sum(one.is_as_expected for one in seen.trials), 0
            ),
            Goal("rollouts that left another digest to serve", seen.wrong_digests, 0),
            Goal("seconds from a decision to the last request to a bad version", longest, MOMENT),
            Goal("requests sent to a bad version later than that", late, 0),
            Goal("requests that a switch failed", len(failed), 0),
            Goal("requests that are missing", max(0, requests - len(seen.answered)), 0),
        ]
    )


def _row(trials: Sequence[Trial], answered: Sequence[Answered]) -> list[str]:
    """Counts by the last decision, seconds from publishing to the end, and the requests to these versions."""
    ends, versions = [one.action for one in trials], {one.version for one in trials}
    theirs = [one for one in answered if one.version in versions]
    took = Measured("", tuple(one.seconds for one in trials))
    gone = [seconds_until_nothing(answered, one) for one in trials if one.action != "Promote"]
    return [
        str(len(trials)),
        *(str(ends.count(action)) for action in ("Promote", "Rollback", "Hold")),
        f"{median(took.seconds):.1f}",
        f"{took.p95:.1f}",
        f"{len(theirs):,}",
        f"{sum(one.status != 200 for one in theirs):,}",
        f"{max(gone):.2f}" if gone else "",
    ]


def _tell(seen: Seen, failed: Sequence[Answered]) -> None:
    """Say on stderr what was not as it should be."""
    odd = [
        f"{one.kind} {one.version}: {one.action}: {one.reason}"
        for one in seen.trials
        if not one.is_as_expected
    ]
    odd += [f"HTTP {one.status} of {one.version or 'nobody'}: {one.fault}" for one in failed[:10]]
    for line in [*odd, seen.stuck]:
        if line:
            print(line, file=sys.stderr)


def main() -> int:
    """Measure; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=100)
    parser.add_argument("--requests", type=int, default=100_000, help="the least number of them")
    parser.add_argument("--rate", type=float, default=150.0, help="requests a second during the rollouts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder) / "home") as laptop:
        seen = measure(laptop, given.rollouts, given.requests, given.rate)
    return show(seen, given.rollouts, given.requests)


if __name__ == "__main__":
    sys.exit(main())

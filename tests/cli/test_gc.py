"""`knoll gc`: what goes is shown before it goes, and what serves never does."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.declared import Knoll, Records
from knoll.names import version_name
from knoll.ports import Platform


@pytest.fixture
def digits(knoll: Knoll, records: Records, model_file: Path) -> Any:
    """Five versions of a model: the third serves, the fourth was refused, and the last waits to be tried."""
    assert knoll("apply", "-f", model_file).exit_code == 0
    for number in range(1, 6):
        run = records.run(number)
        records.outcome(run, version=version_name(number))
        records.version(run, version_name(number))
    records.status(champion="v000003", quarantine={"v000004": "failed"}, phase="Idle")
    return records


def versions(platform: Platform) -> list[str]:
    return sorted(
        {
            one.uri.split("/")[5]
            for one in platform.store.list(f"{platform.settings.model_root}/models/digits/")
        }
    )


def test_a_dry_run_says_what_would_go_and_why(
    knoll: Knoll, kn_model: Knoll, digits: Records, platform: Platform
) -> None:
    """Table and JSON say the same, and nothing is changed."""
    shown = knoll("gc", "digits", "--keep", "2", "--dry-run")
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert [row[:3] for row in rows] == [
        ["KIND", "MODEL", "NAME"],
        ["version", "digits", "v000001"],
        ["version", "digits", "v000002"],
    ]
    assert "older than the newest 2" in shown.stdout
    assert "Would remove 2 objects" in shown.stderr
    assert "Kept 1 × champion, 1 × one of the newest 2, 1 × not tried yet." in shown.stderr
    told = json.loads(knoll("gc", "--keep", "2", "--dry-run", "-o", "json").stdout)
    assert (told["dryRun"], told["objects"], [one["name"] for one in told["removed"]]) == (
        True,
        2,
        ["v000001", "v000002"],
    )
    assert told["bytes"] == sum(one["bytes"] for one in told["removed"]) > 0
    assert {one["name"]: one["reason"] for one in told["kept"]} == {
        "v000003": "champion",
        "v000004": "one of the newest 2",
        "v000005": "not tried yet",
    }
    assert len(versions(platform)) == 5


def test_it_asks_and_removes_only_when_it_is_told_to(
    knoll: Knoll, digits: Records, platform: Platform
) -> None:
    assert knoll("gc", "--keep", "1", stdin="n\n").exit_code == 1
    assert len(versions(platform)) == 5
    asked = knoll("gc", "--keep", "1", stdin="y\n")
    assert asked.exit_code == 0
    assert "Remove 3 objects" in asked.stderr
    assert versions(platform) == ["v000003", "v000005"]
    again = knoll("gc", "--keep", "1")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "Nothing is superfluous" in again.stderr


def test_the_removed_are_told_as_json_and_the_others_can_still_be_explained(
    knoll: Knoll, digits: Records, platform: Platform
) -> None:
    done = json.loads(knoll("gc", "digits", "--keep", "4", "--yes", "-o", "json").stdout)
    assert (done["dryRun"], [one["name"] for one in done["removed"]]) == (False, ["v000001"])
    listed = json.loads(knoll("versions", "digits", "-o", "json").stdout)["versions"]
    assert [one["version"] for one in listed] == ["v000005", "v000004", "v000003", "v000002"]
    gone = knoll("versions", "digits", "v000001")
    assert gone.exit_code == 4


def test_a_model_that_nobody_knows_is_an_error(knoll: Knoll, digits: Records) -> None:
    failed = knoll("gc", "cats", "--dry-run", "-o", "json")
    assert failed.exit_code == 4
    assert json.loads(failed.stdout)["error"]["code"] == "NotFound"


def test_kn_calls_it_as_its_users_do(kn_model: Knoll) -> None:
    shown = kn_model("gc", "--help")
    assert shown.exit_code == 0
    assert "kn model gc digits --keep 5 --dry-run" in shown.stdout


def test_a_version_stays_while_its_run_is_in_the_inbox(knoll: Knoll, digits: Records) -> None:
    """The run that has claimed it is not settled."""
    run = digits.run(1)
    digits.claim(run)
    digits.entry(run)
    told = json.loads(knoll("gc", "--keep", "2", "--dry-run", "-o", "json").stdout)
    assert [one["name"] for one in told["removed"]] == ["v000002"]

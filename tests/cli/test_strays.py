"""Whatever lies in the model bucket, each verb shows what is well, and says in words what is not."""

from pathlib import Path

import pytest

from cli.declared import Knoll, Records
from knoll.errors import KnollError
from knoll.ports import Platform
from support.strays import BODIES, RUN, strays

VERBS = (
    ["models"],
    ["describe", "digits"],
    ["runs"],
    ["runs", "digits", "-o", "json"],
    ["runs", "logs", RUN],
    ["versions", "digits"],
    ["versions", "digits", "v000002"],
    ["rollout", "status", "digits"],
    ["why", "digits", "v000001"],
    ["why", "digits", "v000002"],
    ["verify", "digits"],
    ["verify", "digits", "v000002"],
    ["data", "digits"],
    ["events"],
    ["dlq", "list", "--all"],
    ["dlq", "show", "0123456789abcdef0123"],
    ["gc", "--dry-run"],
    ["doctor"],
)


def names_one(words: list[str]) -> bool:
    """Whether the command asks for one thing, which may be spoilt, or whether all is well."""
    return len(words) > 2 or words[0] in ("verify", "doctor")


@pytest.mark.attack
@pytest.mark.parametrize("body", sorted({*BODIES} - {"huge"}))
def test_each_verb_passes_over_strays(
    knoll: Knoll, platform: Platform, records: Records, model_file: Path, body: str
) -> None:
    knoll("apply", "-f", model_file)
    run = records.run()
    records.outcome(run)
    records.version(run)
    records.step(1, "Promote", 100)
    records.status(champion="v000001")
    for key, stray in strays(BODIES[body]):
        try:
            platform.store.put(f"{platform.settings.model_root}/{key}", stray)
        except KnollError:  # a key that this store takes from nobody
            continue
    for words in VERBS:
        told = knoll(*words)
        assert isinstance(told.exception, SystemExit | None), (words, told.exception)
        assert "Traceback" not in told.output, words
        assert told.exit_code in ((0, 1, 4) if names_one(words) else (0,)), (words, told.output)
    assert "v000001" in knoll("models").stdout
    assert run in knoll("runs").stdout
    assert "v000001" in knoll("versions", "digits").stdout

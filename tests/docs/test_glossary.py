"""The words of the glossary: each has one sense, and code says it in no other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "knoll"
MODULES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}
OF_REQUESTS = (
    *("codecs/", "predict/", "cli/predict", "client/", "families/base/", "trainer/card_calls.py"),
    *("errors.py", "records/samples.py", "router/relay.py"),
)
OF_DEAD_LETTERS = (
    *("dead_letters/", "records/dead_letter", "records/letter_room"),
    *("views/letter", "cli/dlq", "cli/render/letter"),
)
# a word, what else has its letters, and the places that may say it
WORDS = {
    "instance": (
        r"instances?",
        r'"instances?"|`instances?`|"instance is no|sample\.instance',
        OF_REQUESTS,
    ),
    "replay": (
        r"replay(s|ed|ing)?",
        r'"replays?"|`replay`|replay-|replays/|dlq replay|--replayed|Replayed|knollreplay'
        r"|def replay|replays: \[|reason, replay\}",
        tuple(name for name in MODULES if not name.startswith(OF_DEAD_LETTERS)),
    ),
    "attempt": (
        r"attempts?",
        r"(?!)",
        tuple(name for name in MODULES if not name.startswith("rollout/hindsight/")),
    ),
    "service": (
        r"services?",
        r"inference_services?|service_account|knative\.dev/service",
        ("rpc/", "calls/"),  # those of gRPC
    ),
    "server": (
        r"servers?",
        r"(API|S3|HTTP) server|As in V2, the server",
        tuple(
            name
            for name in MODULES
            if not name.startswith(("rollout/", "views/", "retention/", "laptop/serving/"))
        ),
    ),
}


def _said(word: str, but: str, text: str) -> list[str]:
    """The lines that say the word, also as a part of a name."""
    left = (re.sub(but, "", line) for line in text.splitlines())
    return [line.strip() for line in left if re.search(rf"(?<![A-Za-z]){word}(?![A-Za-z])", line)]


def _terms() -> list[str]:
    rows = (ROOT / "docs" / "glossary.md").read_text().splitlines()[4:]
    return [term.strip().lower() for row in rows for term in row.split("|")[1].split(",")]


def test_each_term_is_defined_once() -> None:
    terms = _terms()
    assert sorted(terms) == sorted(set(terms))
    assert {"server", "service", "replica", "instance", "predictor", "revision"} <= set(terms)
    assert {"step", "training step"} <= set(terms)


@pytest.mark.parametrize("name", WORDS)
def test_code_says_a_word_in_its_sense_only(name: str) -> None:
    """What runs is a replica, not an instance; an InferenceService is an isvc, not a service; a version is
    served by a predictor, not by a server; dead letters are resent, samples replayed; and what is tried in a
    rollout is a trial, no attempt. Stored names stay as they are."""
    word, but, places = WORDS[name]
    wrong = {
        module: lines
        for module, path in MODULES.items()
        if not module.startswith(places) and (lines := _said(word, but, path.read_text()))
    }
    assert wrong == {}

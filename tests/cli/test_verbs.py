"""No verb is without a test on a cluster."""

from knoll.cli.app import VERBS
from knoll.cli.grammar import RENAMED
from support.verbs import READING, STEERING, WRITING


def test_each_verb_of_kn_model_is_typed_on_a_cluster() -> None:
    known = {RENAMED.get(verb.words, verb.words) for verb in VERBS if not verb.is_local}
    typed = READING.keys() | WRITING | STEERING
    assert known == typed, f"{sorted(known ^ typed)}: mend READING, WRITING or STEERING in support/verbs.py"

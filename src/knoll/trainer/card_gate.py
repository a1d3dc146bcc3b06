"""The part of a model card on the gate: how the version stands when its training ends.

A rollout decides later, by the same code, and perhaps beside another champion or by another gate.
"""

from collections.abc import Mapping
from typing import Any

from knoll.gate import check_version, checks_table, examined
from knoll.markdown import section
from knoll.models import GateSpec
from knoll.records.manifest import Manifest
from knoll.trainer.card_facts import CardFacts

__all__ = ["gate_checks", "gate_section"]


def gate_checks(gate: Mapping[str, Any], made: Manifest, champion: Manifest | None) -> Mapping[str, Any]:
    """Each number of the gate of the run by its name; none if it has no gate. The golden set that the run has
    used is the pinned one."""
    if not gate:
        return {}
    pinned = made.golden.digest if made.golden else ""
    return examined(check_version(GateSpec.model_validate(gate), made, champion, pinned)).numbers


def gate_section(facts: CardFacts) -> str:
    """Each number of the gate with its bounds."""
    if not facts.checks:
        return ""
    waits = (
        " The Model asks for a human's approval, too." if facts.run.gate.get("approval") == "manual" else ""
    )
    return section(
        "Gate",
        "How the version stood at the end of its training, by the gate that the Model had when the run was "
        f"opened.{waits} `knoll card` and `knoll why` tell what was decided later, and by which numbers.",
        *checks_table(facts.checks),
    )

"""The offline gate: whether a version may get traffic at all, by its numbers.

The rollout decides by them, and the trainer shows them in the model card.
"""

from knoll.gate.checks import Examined, GateCheck, check_version, examined
from knoll.gate.table import checks_table

__all__ = ["Examined", "GateCheck", "check_version", "checks_table", "examined"]

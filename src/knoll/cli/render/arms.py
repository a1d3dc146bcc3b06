"""The numbers of an arm in words."""

from knoll.rollout.evidence import ArmVerdict

__all__ = ["arm_words", "figure", "pairs"]


def arm_words(arm: ArmVerdict) -> str:
    """The arm on one line, without its name: "inconclusive: E 1.2 of 400, L 24 of 100; 60 judged"."""
    told = (f"{name} {figure(value)} of {figure(bound)}" for name, value, bound in pairs(arm))
    return f"{arm.outcome}: {', '.join(told)}; {arm.judged} judged"


def pairs(arm: ArmVerdict) -> list[tuple[str, float, float]]:
    """E and its bound; L and its bound, if the arm can pass."""
    return [("E", arm.e, arm.fail_at), *([("L", arm.support, arm.pass_at)] if arm.is_needed else [])]


def figure(value: float) -> str:
    """1.303 -> "1.3", 1333.3 -> "1333", 9.3e11 -> "9e+11"."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}" if value < 100_000 else f"{value:.0e}"

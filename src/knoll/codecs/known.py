"""Names that callers send: each must be one that the model knows."""

from collections.abc import Collection, Iterable

from knoll.quoting import did_you_mean, shown

__all__ = ["fault_of_names"]

_LONGEST = 200  # characters of a name that is compared with others


def fault_of_names(names: Iterable[str], known: Collection[str], kind: str) -> str:
    """Which of the names is not known, and which known one it may mean; "" if all are known."""
    unknown = min({*names} - {*known}, default=None)
    if unknown is None:
        return ""
    like = did_you_mean(unknown[:_LONGEST], known)
    return f"it has the {kind} {shown(unknown)}, which is unknown{like}"

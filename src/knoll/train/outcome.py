"""How a run has ended: written once, whoever ends it, and read back by whoever comes later."""

from knoll.errors import AlreadyExists, NotFound
from knoll.names import outcome_uri, superseded_uri
from knoll.ports import Platform
from knoll.runs import Outcome, dump, load_outcome

__all__ = ["find_outcome", "write_outcome"]


def find_outcome(run_id: str, platform: Platform) -> Outcome | None:
    """How the run has ended; None while it has not."""
    try:
        return load_outcome(platform.store.get(outcome_uri(platform.settings.model_root, run_id)))
    except NotFound:
        return None


def write_outcome(run_id: str, outcome: Outcome, platform: Platform) -> bool:
    """Write how the run has ended; False when it had ended before, however. A hint comes before an outcome
    that is superseded."""
    root = platform.settings.model_root
    if outcome.superseded:
        platform.store.put(superseded_uri(root, run_id), b"{}", content_type="application/json")
    try:
        platform.store.put(
            outcome_uri(root, run_id), dump(outcome), if_absent=True, content_type="application/json"
        )
    except AlreadyExists:
        return False
    return True

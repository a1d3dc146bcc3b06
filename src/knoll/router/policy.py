"""How the requests of a Model are routed, as the Model and the state of its rollout say."""

from dataclasses import dataclass, replace

from knoll.errors import InvalidModel
from knoll.models import parse_model
from knoll.paths import FEEDBACK
from knoll.ports import Document

__all__ = ["Policies", "RoutingPolicy"]


@dataclass(frozen=True)
class RoutingPolicy:
    """`sticky` is header:NAME, cookie:NAME or "" (see `visitor`). `shadow` is the percentage of the requests
    that are copied to the version on trial, `compare` the percentage that both versions answer. Both are 0
    while no trial has copies."""

    model: str
    sticky: str = ""
    shadow: int = 0
    compare: int = 0

    def of_path(self, path: str) -> "RoutingPolicy":
        """The policy of requests to that path. While answers are compared, both versions get all feedback:
        either may know what it has answered to the same request."""
        if not path.endswith(FEEDBACK):
            return self
        return replace(self, shadow=0, compare=100 if self.compare else 0)


class Policies:
    """The policies of Models, each read once for every change of its Model."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, RoutingPolicy]] = {}

    def of(self, model: str, document: Document | None) -> RoutingPolicy:
        """The policy of a Model; requests to one that is not there, or faulty, go by chance."""
        if document is None:
            self._read.pop(model, None)
            return RoutingPolicy(model)
        state = str(document["metadata"].get("resourceVersion"))
        known = self._read.get(model)
        if known is None or known[0] != state:
            known = self._read[model] = state, _policy(model, document)
        return known[1]


def _policy(model: str, document: Document) -> RoutingPolicy:
    try:
        rollout = parse_model(document).rollout
    except InvalidModel:
        return RoutingPolicy(model)
    is_on_trial = (document.get("status") or {}).get("phase") == "Canary"
    sticky = rollout.sticky or ""
    if not is_on_trial:
        return RoutingPolicy(model, sticky)
    if rollout.mode == "shadow":
        return RoutingPolicy(model, sticky, shadow=rollout.shadow)
    return RoutingPolicy(model, sticky, compare=rollout.compare)

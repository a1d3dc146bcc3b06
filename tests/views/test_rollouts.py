"""What `knoll rollout status` shows fits together, also while rollout writes."""

from collections.abc import Callable, Iterator

from cli.declared import Records
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.ports import ObjectInfo
from knoll.views.rollouts import read_rollout
from support.models import model_document


class _Busy(MemoryStore):
    """A store of which rollout makes use right after the first listing of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.shift: Callable[[], None] = lambda: None

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        found = [*super().list(prefix, after=after)]
        if "/rollouts/" in prefix:
            shift, self.shift = self.shift, lambda: None
            shift()
        return iter(found)


def test_no_step_is_shown_that_the_phase_knows_nothing_of() -> None:
    store = _Busy()
    platform = memory_platform(store=store)
    platform.cluster.create(model_document("digits"))
    records = Records(platform)
    records.status(champion="v000001", candidate="v000002", phase="Deploying")
    records.step(1, "Start", 0, "v000002")

    def shift() -> None:
        records.status(champion="v000001", candidate="v000002", phase="Canary")
        records.step(2, "Shift", 20, "v000002")

    store.shift = shift
    for actions in (["Start"], ["Start", "Shift"]):
        seen = read_rollout(platform, "digits")
        assert (seen.model.phase, [one.action for one in seen.steps]) == ("Canary", actions)

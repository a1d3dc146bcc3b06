"""What users have put beside the rollouts of a world: hooks that agree in the end."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

from knoll.hooks import HookAnswer, HookRequest

__all__ = ["Hooks"]


@dataclass(frozen=True)
class Hooks:
    """`ports.Hooks`: to a third of the questions nobody answers at first, and to a third the first answer is
    no. None asks for a rollback."""

    asked: Counter[str] = field(default_factory=Counter)

    def ask(self, request: HookRequest) -> HookAnswer:
        """See `ports.Hooks.ask`."""
        if request.url.endswith("/rollback"):
            return HookAnswer(404, "")
        self.asked[request.id] += 1
        mood = sha256(request.id.encode()).digest()[0] % 3 if self.asked[request.id] == 1 else 2
        return (HookAnswer(0, "timed out"), HookAnswer(403, "not now"), HookAnswer(200, ""))[mood]

"""Hooks whose answers a test has chosen."""

from dataclasses import dataclass, field

from knoll.hooks import HookAnswer, HookRequest

__all__ = ["MemoryHooks"]


@dataclass
class MemoryHooks:
    """`ports.Hooks`: `asked` has each question in order. `answers` has what is said at a URL; others give no
    answer."""

    answers: dict[str, HookAnswer] = field(default_factory=dict)
    asked: list[HookRequest] = field(default_factory=list)

    def ask(self, request: HookRequest) -> HookAnswer:
        """Keep the question. Without an answer the status is 0."""
        self.asked.append(request)
        return self.answers.get(request.url, HookAnswer(0, "nobody is there"))

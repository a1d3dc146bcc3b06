"""Faults between a process and the world: each call of a port has a number, and may be cut off, lose its
answer, be repeated or be held up.

A process is one call of a function or one attempt of a trainer. After a crash it reaches no port, not even
from a `finally`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from knoll.errors import ClusterUnavailable, KnollError, StoreUnavailable, Unavailable
from knoll.ports import Caches, Platform

__all__ = ["KINDS", "Call", "Crash", "Fault", "Kind", "Process"]

Kind = Literal["before", "after", "lost", "twice", "pause"]
KINDS: tuple[Kind, ...] = ("before", "after", "lost", "twice", "pause")
_ERRORS: Mapping[str, type[KnollError]] = {
    "store": StoreUnavailable,
    "cluster": ClusterUnavailable,
    "events": Unavailable,
}


class Crash(BaseException):
    """The end of a process, as kill -9 makes it."""


@dataclass(frozen=True)
class Fault:
    """What happens at one call.

    before, after: the process ends right before or after it. lost: it is done, and the caller hears that
    nobody answered. twice: the client repeats it, having lost the first answer, and the caller hears the
    second one. pause: the world goes on (`meanwhile`) before it is done.
    """

    kind: Kind
    meanwhile: Callable[[], object] | None = None


class Call(NamedTuple):
    """A call of a port; as a text, in words."""

    port: str
    method: Callable[..., Any]
    given: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.port}.{self.method.__name__} {_named(self.given)}"


@dataclass
class Process:
    """The calls of one process to the ports of `world`, and their faults. `strike` gets the number of each
    call, from 0, and returns its fault.

    A process that takes event after event is several of these with one `memory`.
    """

    world: Platform
    strike: Callable[[int], Fault | None] = lambda number: None
    calls: list[Call] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    is_dead: bool = False
    memory: Caches = field(default_factory=Caches)

    @property
    def platform(self) -> Platform:
        """The platform as the process sees it."""
        ports: dict[str, Any] = {
            name: _Port(name, getattr(self.world, name), self)
            for name in ("store", "cluster", "events", "predictors")
        }
        return replace(self.world, caches=self.memory, **ports)

    def call(
        self, name: str, method: Callable[..., Any], given: tuple[Any, ...], options: Mapping[str, Any]
    ) -> Any:
        """Do one call, with its fault."""
        if self.is_dead:
            raise Crash
        number = len(self.calls)
        self.calls.append(Call(name, method, given))
        fault = self.strike(number)
        if fault is None or (
            fault.kind == "lost" and name == "predictors"
        ):  # a request that nobody answers counts against the version
            return method(*given, **options)
        self.struck.append(f"{fault.kind} {number}: {self.calls[-1]}")
        return self._suffer(fault, name, lambda: method(*given, **options))

    def _suffer(self, fault: Fault, name: str, act: Callable[[], Any]) -> Any:
        match fault.kind:
            case "before":
                self._die()
            case "after":
                self._carry_out(act)
                self._die()
            case "lost":
                return self._without_answer(name, act)
            case "twice":
                self._carry_out(act)
            case "pause":
                if fault.meanwhile:
                    fault.meanwhile()
        return act()

    def _without_answer(self, name: str, act: Callable[[], Any]) -> Any:
        self._carry_out(act)
        raise _ERRORS[name]("the answer got lost")

    def _carry_out(self, act: Callable[[], Any]) -> None:
        """Do the call, and drop its answer or error."""
        try:
            act()
        except KnollError:
            return

    def _die(self) -> None:
        self.is_dead = True
        raise Crash


@dataclass(frozen=True, eq=False)
class _Port:
    """A port as the process sees it."""

    name: str
    real: Any
    process: Process

    def __getattr__(self, method: str) -> Callable[..., Any]:
        real = getattr(self.real, method)
        return lambda *given, **options: self.process.call(self.name, real, given, options)


def _named(given: tuple[Any, ...]) -> str:
    """The subject of a call, in words."""
    first = given[0] if given else ""
    if isinstance(first, dict):
        return f"{first.get('kind')}/{(first.get('metadata') or {}).get('name')}"
    return " ".join(str(one) for one in given[:2] if isinstance(one, str)) or type(first).__name__

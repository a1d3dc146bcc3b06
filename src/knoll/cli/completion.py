"""Shell completion from the platform: models, versions, runs, dead letters and event types.

Completion must never print or hang a shell: when no platform runs, or a cluster is slow to answer, there is
nothing to offer.
"""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import TYPE_CHECKING

import typer

from knoll.cli.session import platform_of
from knoll.errors import KnollError

if TYPE_CHECKING:
    from knoll.ports import Platform

__all__ = [
    "complete_event_types",
    "complete_letters",
    "complete_models",
    "complete_runs",
    "complete_versions",
]


_PATIENCE = 2.0  # seconds


def complete_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the applied models."""
    return _offer(
        ctx, incomplete, lambda platform: (one["metadata"]["name"] for one in platform.cluster.list("Model"))
    )


def complete_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Run ids, and models' names for their newest run."""
    from knoll.cli.run_view import list_run_ids

    def names(platform: "Platform") -> Iterable[str]:
        return [*(one["metadata"]["name"] for one in platform.cluster.list("Model")), *list_run_ids(platform)]

    return _offer(ctx, incomplete, names)


def complete_versions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Versions of the model that the command line names already."""
    from knoll.cli.version_view import list_versions

    model = ctx.params.get("model") or ""
    return _offer(ctx, incomplete, lambda platform: list_versions(platform, model))


def complete_letters(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of the dead letters."""
    from knoll.dead_letters.letters import list_letters

    return _offer(
        ctx, incomplete, lambda platform: list_letters(platform.store, platform.settings.model_root)
    )


def complete_event_types(incomplete: str) -> list[str]:
    """The event types that the stages speak."""
    from knoll import events

    known = [value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)]
    return [one for one in known if one.startswith(incomplete)]


def _offer(ctx: typer.Context, incomplete: str, names: Callable[["Platform"], Iterable[str]]) -> list[str]:
    found: list[str] = []

    def look() -> None:
        try:
            found.extend([name for name in names(platform_of(ctx)) if name.startswith(incomplete)])
        except (KnollError, OSError):
            return

    thread = Thread(target=look, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return list(found)

"""Shell completion from the platform: models, versions, runs, dead letters and event types.

Completion must never print, and never hang a shell. It offers nothing if no platform runs, or if a cluster
answers too slowly.
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
    "complete_families",
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
    """Run ids, and names of models, which stand for their newest run."""
    from knoll.views.ids import list_run_ids

    def names(platform: "Platform") -> Iterable[str]:
        return [*(one["metadata"]["name"] for one in platform.cluster.list("Model")), *list_run_ids(platform)]

    return _offer(ctx, incomplete, names)


def complete_versions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Versions of the model on the command line."""
    from knoll.views.versions import version_names

    model = ctx.params.get("model") or ""
    return _offer(ctx, incomplete, lambda platform: version_names(platform, model))


def complete_letters(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of the dead letters."""
    from knoll.views.letters import letter_ids

    return _offer(ctx, incomplete, letter_ids)


def complete_event_types(incomplete: str) -> list[str]:
    """The event types of knoll."""
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


def complete_families(incomplete: str) -> list[str]:
    """Names of the families."""
    from knoll.families import FAMILIES

    return [name for name in FAMILIES if name.startswith(incomplete)]

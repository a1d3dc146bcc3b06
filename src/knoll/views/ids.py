"""Ids of runs, and ids that people may shorten. It imports little, because shell completion must be fast."""

from collections.abc import Sequence
from datetime import datetime

from knoll.errors import NotFound
from knoll.names import RUN_ID
from knoll.ports import Platform
from knoll.records.run import list_runs

__all__ = ["find_run_id", "list_run_ids", "only_match"]


def only_match(wanted: str, known: Sequence[str], what: str, fix: str) -> str:
    """The id among `known` that is `wanted` or the only one that begins like it. Raises NotFound."""
    matches = [wanted] if wanted in known else [id for id in known if id.startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        told = f"{len(matches)} ids begin like this: {', '.join(matches[:5])}"
        raise NotFound(f"{what} {wanted!r}: {told}", fix="give more letters")
    raise NotFound(f"{what} {wanted!r}: there is none", fix=fix)


def list_run_ids(platform: Platform, model: str = "", since: datetime | None = None) -> list[str]:
    """Ids of the runs of a model, or of all, newest record first; if `since` is given, only of records that
    were written then or later."""
    found = sorted(
        list_runs(f"{model}-" if model else "", platform.bucket),
        key=lambda one: (one[1].modified, one[1].uri),
        reverse=True,
    )
    recent = (id for id, one in found if since is None or one.modified >= since)
    return [id for id in recent if (match := RUN_ID.fullmatch(id)) and model in ("", match[1])]


def find_run_id(platform: Platform, wanted: str) -> str:
    """The run id that `wanted` means: an id, a unique prefix of one, or a model's name for its newest run.
    Raises NotFound."""
    ids = list_run_ids(platform)
    if wanted in ids:
        return wanted
    of_model = (id for id in ids if RUN_ID.sub(r"\1", id) == wanted)
    return next(of_model, "") or only_match(wanted, ids, "run", "knoll runs lists them")

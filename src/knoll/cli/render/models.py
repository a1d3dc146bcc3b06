"""Models in a table."""

from collections.abc import Iterable

from knoll.cli.tables import PlainTable, plain_table
from knoll.quoting import escaped
from knoll.views.models import ModelView

__all__ = ["champion_words", "data_words", "models_table", "phase_words"]

_HEADINGS = ("NAME", "FAMILY", "CHAMPION", "CANDIDATE", "PHASE", "DATA", "TRAFFIC", "URL")


def models_table(models: Iterable[ModelView]) -> PlainTable:
    """The models as a table. A narrow terminal leaves out what can be looked up elsewhere."""
    return plain_table(_HEADINGS, map(_row, models), spare=("URL", "TRAFFIC", "FAMILY"))


def _row(model: ModelView) -> tuple[str, ...]:
    traffic = ", ".join(f"{one.percent} % {one.revision or ''}" for one in model.routes if one.percent)
    versions = (champion_words(model), model.candidate, phase_words(model))
    return (model.name, model.family, *versions, data_words(model), traffic, model.predict_url)


def champion_words(model: ModelView) -> str:
    """The version that serves; and whether it, or the one that should serve, is not what was trained."""
    fallen = ", ".join(model.fallen)
    damage = "damaged" if model.damage else f"{fallen} damaged" if fallen else ""
    return f"{model.champion} ({damage})" if damage else model.champion


def phase_words(model: ModelView) -> str:
    """The phase of the rollout, and where it stands."""
    one = model.standing
    told = {
        "": "",
        "Edited": "edited",
        "WaitsForApproval": f"{one.version} waits for approval",
        "Paused": "paused",
        "NoRoom": f"{one.version} waits for room" if model.is_idle else "no room",
        "WaitsForHook": "a hook does not agree",
        "NotTaken": f"{one.version} {model.verdict.name}",
    }[one.kind]
    return f"{model.phase or 'Idle'} ({told})" if told else model.phase


def data_words(model: ModelView) -> str:
    """State of the data, and what it waits for; or what is wrong with the declaration."""
    if model.fault:
        return f"Faulty ({escaped(model.fault)})"
    return f"{model.data_state} ({model.data_reason})" if model.data_reason else model.data_state

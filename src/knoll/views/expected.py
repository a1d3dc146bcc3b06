"""Which run the data in the bucket should lead to.

It takes the same look as ingest (`ingest.look`). So `knoll runs -w` knows right after an upload, before any
event has arrived, whether a run is still to come and what the data waits for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from knoll.errors import NewerSchema, Rejected
from knoll.ingest.landed import Waiting
from knoll.ingest.look import look
from knoll.ingest.opening import asked_runs
from knoll.models import Model, readable_models
from knoll.ports import Document, Platform
from knoll.waits import Wait

__all__ = ["Expected", "expected_runs"]


@dataclass(frozen=True)
class Expected:
    """The run that a model's data should lead to. `run` is "" while the data is not complete, and `reason`
    says what is missing; `wait` says it as a value."""

    model: str
    run: str
    reason: str
    wait: Wait


def expected_runs(platform: Platform, documents: Iterable[Document]) -> list[Expected]:
    """For each Model without faults, the run of its newest complete dataset."""
    return [
        _expected_run(platform, model, (document.get("status") or {}).get("dataset") or {})
        for document in documents
        for model in readable_models([document])
    ]


def _expected_run(platform: Platform, model: Model, before: Mapping[str, Any]) -> Expected:
    try:
        return _look(platform, model, before)
    except (Rejected, NewerSchema) as error:  # of one model only
        return Expected(model.name, "", str(error), Wait(str(error), ends=error.fix))


def _look(platform: Platform, model: Model, before: Mapping[str, Any]) -> Expected:
    verdict = look(model, platform, before=before)
    if isinstance(verdict, Waiting):
        return Expected(model.name, "", verdict.what, verdict)
    newest = verdict.datasets[-1]
    run = asked_runs(model, [newest], platform)[newest]
    reason = "the data is complete; its run is about to start"
    is_quiet = model.dataset.landed.when == "quiet"
    ends = "the next tick opens the run" if is_quiet else "an event opens the run, or else the next tick"
    return Expected(model.name, run, reason, Wait(reason, newest.data_at, ends, 0, 1))

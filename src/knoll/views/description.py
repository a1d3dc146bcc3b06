"""One model in full: its declaration and rollout, its newest run, and the Revisions behind its URL."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knoll.errors import NewerSchema, Rejected
from knoll.ports import Platform
from knoll.records.golden import GoldenSet, find_golden
from knoll.records.run import is_opened
from knoll.views.drift import DriftView, drift_document, read_drift
from knoll.views.expected import expected_runs
from knoll.views.facets import FacetsView, facets_documents, read_facets
from knoll.views.labels import LabelsView, labels_documents, read_label_counts
from knoll.views.models import ModelView, find_model, model_document
from knoll.views.revisions import RevisionView, read_revisions
from knoll.views.run import RunView, run_document
from knoll.views.runs import read_runs
from knoll.waits import Wait, wait_document

__all__ = ["Description", "ExamView", "description_document", "read_description"]


@dataclass(frozen=True)
class ExamView:
    """A golden set: where it lies, and its pin; None if no run has used it, or if the pin has a fault."""

    uri: str
    pin: GoldenSet | None
    fault: str = ""


@dataclass(frozen=True)
class Description:
    """A model, its golden set, its newest run, what its data waits for, and its Revisions, newest first: the
    newest one and those that get traffic or have a tag. `labels` counts the labelled answers of candidate and
    champion. `drift` has the champion's answers beside its training data."""

    model: ModelView
    exam: ExamView | None
    run: RunView | None
    data_wait: Wait | None
    revisions: Sequence[RevisionView]
    labels: Sequence[LabelsView] = ()
    drift: DriftView | None = None
    facets: Sequence[FacetsView] = ()

    def percent_of(self, version: str) -> int:
        """The part of the traffic that a version gets."""
        return sum(one.percent for one in self.revisions if one.version == version)


def read_description(platform: Platform, model: str) -> Description:
    """Everything about one model. Raises NotFound."""
    view = find_model(platform, model)
    newest = sorted(read_revisions(platform, view), key=lambda one: int(one.generation or 0), reverse=True)
    shown = [one for number, one in enumerate(newest) if number == 0 or one.percent or one.tags]
    run = next(iter(read_runs(platform, model, 1)), None)
    labels = read_label_counts(platform, model, (view.candidate, view.champion))
    drift = read_drift(platform, model, view.champion)
    facets = read_facets(platform, model, (view.candidate, view.champion))
    return Description(
        view, _find_exam(platform, view), run, _data_wait(platform, view), shown, labels, drift, facets
    )


def _find_exam(platform: Platform, view: ModelView) -> ExamView | None:
    uri = ((view.document.get("spec") or {}).get("gate") or {}).get("goldenSet")
    if not uri:
        return None
    try:
        return ExamView(uri, find_golden(view.name, uri, platform.bucket))
    except (Rejected, NewerSchema) as error:
        return ExamView(uri, None, str(error))


def _exam_document(exam: ExamView) -> dict[str, Any]:
    pin = exam.pin
    return {
        "uri": exam.uri,
        "digest": pin.digest if pin else "",
        "files": pin.files if pin else 0,
        "run": pin.run if pin else "",
        "pinnedAt": pin.pinned_at if pin else "",
        "fault": exam.fault,
    }


def _data_wait(platform: Platform, view: ModelView) -> Wait | None:
    """What the data waits for as it lies there now; None if its run is there."""
    for expected in expected_runs(platform, [view.document]):
        if not (expected.run and is_opened(expected.run, platform.bucket)):
            return expected.wait
    return None


def description_document(found: Description) -> dict[str, Any]:
    """The model as `-o json` shows it."""
    revisions = [asdict(one) for one in found.revisions]
    return {
        **model_document(found.model),
        "namespace": found.model.namespace,
        "createdAt": found.model.created_at,
        "goldenSet": _exam_document(found.exam) if found.exam else None,
        "dataWait": wait_document(found.data_wait),
        "run": run_document(found.run) if found.run else None,
        "labels": labels_documents(found.labels),
        "drift": drift_document(found.drift),
        "facets": facets_documents(found.facets),
        "revisions": [{**one, "createdAt": one.pop("created_at")} for one in revisions],
        "conditions": [
            {"type": one.type, "status": one.status, "reason": one.reason, "message": one.message}
            for one in found.model.conditions
        ],
    }

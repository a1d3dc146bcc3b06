"""What is known of models: their declaration, their slot, and whether they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knoll.errors import NotFound
from knoll.ports import Document, Platform
from knoll.settings import Settings

__all__ = [
    "MODEL_HEADINGS",
    "ModelView",
    "base_url",
    "data_words",
    "find_model",
    "model_document",
    "model_row",
    "place_words",
    "read_models",
    "serves",
]

MODEL_HEADINGS = ("NAME", "FAMILY", "CHAMPION", "CANDIDATE", "PHASE", "DATA", "TRAFFIC", "URL")


@dataclass(frozen=True)
class ModelView:
    """A Model with its InferenceService, if it has one."""

    model: Document
    service: Document | None

    @property
    def status(self) -> Mapping[str, Any]:
        """The Model's status; empty when nothing has happened yet."""
        return self.model.get("status") or {}

    @property
    def traffic(self) -> list[Mapping[str, Any]]:
        """Where requests go, as KServe tells it."""
        return _predictor(self.service).get("traffic") or []

    @property
    def predict_url(self) -> str:
        """Where predictions are asked for; "" while nothing serves."""
        base = base_url(self.service)
        return f"{base}/v1/models/{self.model['metadata']['name']}:predict" if base else ""


def read_models(platform: Platform) -> list[ModelView]:
    """All models, by name."""
    services = {one["metadata"]["name"]: one for one in platform.cluster.list("InferenceService")}
    return [ModelView(one, services.get(one["metadata"]["name"])) for one in platform.cluster.list("Model")]


def find_model(platform: Platform, name: str) -> ModelView:
    """One model. Raises NotFound, and names the models that there are."""
    try:
        document = platform.cluster.get("Model", name)
    except NotFound as error:
        known = (
            ", ".join(one["metadata"]["name"] for one in platform.cluster.list("Model"))
            or "none yet: knoll apply -f FILE adds one"
        )
        where = place_words(platform.settings)
        raise NotFound(
            f"model {name}: there is none of that name{where}", fix=f"knoll models lists them ({known})"
        ) from error
    try:
        return ModelView(document, platform.cluster.get("InferenceService", name))
    except NotFound:
        return ModelView(document, None)


def place_words(settings: Settings) -> str:
    """Where on a cluster is looked, to stand behind a sentence; "" on this machine, which has one place
    only."""
    return f" in the namespace {settings.namespace}" if settings.cluster == "kubernetes" else ""


def base_url(service: Document | None) -> str:
    """The base URL of an InferenceService's predictor; "" while it has none."""
    status = (service or {}).get("status") or {}
    return str(status.get("url") or _predictor(service).get("url") or "").rstrip("/")


def serves(view: ModelView, version: str) -> bool:
    """Whether all traffic goes to the version: it is the champion, nothing is on trial, and one revision has
    100 %."""
    shares = [one.get("percent") for one in view.traffic if one.get("percent")]
    return view.status.get("champion") == version and not view.status.get("candidate") and shares == [100]


def model_row(view: ModelView) -> tuple[str, ...]:
    """The cells under MODEL_HEADINGS."""
    status = view.status
    traffic = ", ".join(
        f"{one['percent']} % {one.get('revisionName', '')}" for one in view.traffic if one.get("percent")
    )
    spec = view.model.get("spec") or {}
    row = (
        status.get("champion"),
        status.get("candidate"),
        status.get("phase"),
        data_words(view),
        traffic,
        view.predict_url,
    )
    return (view.model["metadata"]["name"], str(spec.get("family", "")), *(str(cell or "") for cell in row))


def data_words(view: ModelView) -> str:
    """The state of the dataset, and what it waits for."""
    dataset = view.status.get("dataset") or {}
    return (
        f"{dataset.get('state', '')} ({dataset['reason']})"
        if dataset.get("reason")
        else str(dataset.get("state", ""))
    )


def model_document(view: ModelView) -> dict[str, Any]:
    """The model as `-o json` shows it."""
    status = view.status
    return {
        "name": view.model["metadata"]["name"],
        "family": (view.model.get("spec") or {}).get("family", ""),
        **{key: status.get(key) or "" for key in ("champion", "candidate", "previous", "phase")},
        "dataset": {key: (status.get("dataset") or {}).get(key, "") for key in ("state", "reason")},
        "quarantine": dict(status.get("quarantine") or {}),
        "traffic": [
            {key: one.get(key) for key in ("revisionName", "percent", "tag")} for one in view.traffic
        ],
        "url": view.predict_url,
    }


def _predictor(service: Document | None) -> Mapping[str, Any]:
    status = (service or {}).get("status") or {}
    return (status.get("components") or {}).get("predictor") or {}

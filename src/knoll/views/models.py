"""Models: what each one declares, which versions serve, and what its data waits for.

State and reason of the data come from `Model.status.dataset`. `ingest.landed` decides, and says in words what
is missing; `ingest.look.dataset_status` puts these words into the status.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from knoll.errors import NotFound
from knoll.kube.predictors import predictor_status, router_url
from knoll.models import fault_of
from knoll.paths import predict_path
from knoll.ports import Document, Platform
from knoll.rollout.comparison import read_held
from knoll.rollout.room import read_no_room
from knoll.rollout.slot import read_decision
from knoll.settings import Settings
from knoll.views.conditions import Condition, conditions_of, conditions_of_model, fallen_versions
from knoll.views.standing import Standing, read_standing, standing_document, waiting_conditions
from knoll.views.verdicts import LastDecision, verdict_document, verdict_of
from knoll.waits import Wait, wait_document

__all__ = [
    "ModelView",
    "RouteView",
    "find_model",
    "model_document",
    "model_view",
    "namespace_words",
    "no_such_model",
    "read_models",
    "serves",
]

_ROLES = ("champion", "candidate", "previous")


@dataclass(frozen=True)
class RouteView:
    """Where KServe sends requests: a revision, its percentage of the traffic, and its tag. None means that
    KServe does not say."""

    revision: str | None
    percent: int | None
    tag: str | None


@dataclass(frozen=True)
class ModelView:
    """A Model and its InferenceService. What is unknown is "" or empty.

    `data_state` is Waiting or Landed, and `data_reason` says what the data waits for. `landed_digest` is that
    of the data which landed last, and `asked_run` the run that it asks for. `phase` is that of the rollout.
    `damage` says why the champion is not what was trained, and `fallen` why newer versions gave way to it for
    that reason. `verdict` is the last decision of a rollout. `held` is the version that waits for approval,
    and `roomless` one that waits for room. `standing` says what holds its rollouts up. `base_url` is where
    the predictor answers, or the router in front of it. `document` is the Model as the cluster has it.
    `fault` says what this knoll finds wrong with the declaration: then nothing is done for the Model.
    """

    name: str
    namespace: str
    created_at: str
    family: str
    champion: str
    candidate: str
    previous: str
    phase: str
    data_state: str
    data_reason: str
    landed_digest: str
    asked_run: str
    quarantine: Mapping[str, str]
    quarantined_at: Mapping[str, str]
    damage: str
    fallen: Mapping[str, str]
    verdict: LastDecision
    held: str
    roomless: str
    standing: Standing
    routes: tuple[RouteView, ...]
    base_url: str
    conditions: tuple[Condition, ...]
    document: Document
    fault: str

    @property
    def is_idle(self) -> bool:
        """Whether no rollout goes on."""
        return self.phase in ("", "Idle")

    @property
    def wait(self) -> Wait | None:
        """What its rollouts wait for beside requests and time; None for nothing."""
        return self.standing.wait

    @property
    def predict_url(self) -> str:
        """Where predictions are asked for; "" while nothing serves."""
        return self.base_url + predict_path(self.name) if self.base_url else ""

    def role_of(self, version: str) -> str:
        """The role of a version: champion, candidate, previous, or "" for none."""
        return next((role for role in _ROLES if version and getattr(self, role) == version), "")


def read_models(platform: Platform) -> list[ModelView]:
    """All models, by name."""
    isvcs = {one["metadata"]["name"]: one for one in platform.cluster.list("InferenceService")}
    return [model_view(one, isvcs.get(one["metadata"]["name"])) for one in platform.cluster.list("Model")]


def find_model(platform: Platform, name: str) -> ModelView:
    """One model. Raises NotFound, which names the models that exist."""
    try:
        document = platform.cluster.get("Model", name)
    except NotFound as error:
        found = ", ".join(one["metadata"]["name"] for one in platform.cluster.list("Model"))
        known = found or "none yet: knoll apply -f FILE adds one"
        raise no_such_model(name, platform.settings, f"knoll models lists them ({known})") from error
    try:
        return model_view(document, platform.cluster.get("InferenceService", name))
    except NotFound:
        return model_view(document, None)


def no_such_model(name: str, settings: Settings, fix: str) -> NotFound:
    """The error for a name that no Model has."""
    return NotFound(f"model {name}: there is no Model of that name{namespace_words(settings)}", fix=fix)


def namespace_words(settings: Settings) -> str:
    """The end of a sentence: which namespace of a cluster was searched; "" for this machine."""
    return f" in the namespace {settings.namespace}" if settings.cluster == "kubernetes" else ""


def serves(model: ModelView, version: str) -> bool:
    """Whether all traffic goes to the version: it is the champion, nothing is on trial, and one revision has
    100 %."""
    shares = [one.percent for one in model.routes if one.percent]
    return model.champion == version and not model.candidate and shares == [100]


def model_view(model: Document, isvc: Document | None) -> ModelView:
    """The view of a Model and its InferenceService, if it has one."""
    metadata, spec, status = model["metadata"], model.get("spec") or {}, model.get("status") or {}
    dataset = status.get("dataset") or {}
    predictor = predictor_status(isvc)
    held, no_room = read_held(status.get("held")), read_no_room(status.get("noRoom"))
    name, last, fault = str(metadata["name"]), _last_verdict(status), fault_of(model)
    return ModelView(
        name=name,
        namespace=str(metadata.get("namespace", "")),
        created_at=str(metadata.get("creationTimestamp", "")),
        family=str(spec.get("family", "")),
        **{key: str(status.get(key) or "") for key in (*_ROLES, "phase")},
        data_state=str(dataset.get("state", "")),
        data_reason=str(dataset.get("reason", "")),
        landed_digest=str(dataset.get("digest") or ""),
        asked_run=str(dataset.get("run") or ""),
        quarantine=dict(status.get("quarantine") or {}),
        quarantined_at=dict((status.get("steering") or {}).get("quarantinedAt") or {}),
        damage=str(status.get("damage") or ""),
        fallen=fallen_versions(status),
        verdict=last,
        held=held.version if held else "",
        roomless=no_room.version if no_room else "",
        standing=read_standing(name, status, last),
        routes=tuple(
            RouteView(one.get("revisionName"), one.get("percent"), one.get("tag"))
            for one in predictor.get("traffic") or []
        ),
        base_url=_base_url(name, spec, isvc).rstrip("/"),
        conditions=(
            *_declared_wrongly(fault, status),
            *waiting_conditions(name, status),
            *conditions_of_model(model),
            *conditions_of(isvc),
        ),
        document=model,
        fault=fault,
    )


def _declared_wrongly(fault: str, status: Mapping[str, Any]) -> Iterator[Condition]:
    if fault:
        told = f"{fault}; correct that and run knoll apply: until then it gets no run and no rollout"
        yield Condition("DeclarationReadable", "False", "Faulty", told + _what_serves(status), "")


def _what_serves(status: Mapping[str, Any]) -> str:
    """The end of the sentence: what becomes of the traffic of a Model with faults."""
    if champion := status.get("champion"):
        return f", and {champion} has all traffic"
    candidate = status.get("candidate")
    return f", and {candidate}, its first version, serves without being judged" if candidate else ""


def _base_url(name: str, spec: Mapping[str, Any], isvc: Document | None) -> str:
    """The URL of the router, if the Model asks for sticky visitors, a shadow or comparison; else that of the
    predictor. On a laptop, the gateway is both."""
    rollout, predictor = spec.get("rollout"), predictor_status(isvc)
    rollout = rollout if isinstance(rollout, Mapping) else {}
    is_routed = bool(rollout.get("sticky") or rollout.get("compare")) or rollout.get("mode") == "shadow"
    direct = ((isvc or {}).get("status") or {}).get("url") or predictor.get("url") or ""
    return (router_url(name, predictor) if is_routed else "") or str(direct)


def _last_verdict(status: Mapping[str, Any]) -> LastDecision:
    last = read_decision(status)
    return verdict_of(last.action, last.reason, last.version) if last else LastDecision()


def model_document(model: ModelView) -> dict[str, Any]:
    """The model as `-o json` shows it."""
    return {
        "name": model.name,
        "family": model.family,
        **{key: getattr(model, key) for key in (*_ROLES, "phase")},
        "fault": model.fault,
        "dataset": {"state": model.data_state, "reason": model.data_reason},
        "quarantine": dict(model.quarantine),
        "quarantinedAt": dict(model.quarantined_at),
        "damage": model.damage,
        "fallen": dict(model.fallen),
        "verdict": verdict_document(model.verdict),
        "standing": standing_document(model.standing),
        "wait": wait_document(model.wait),
        "traffic": [
            {"revisionName": one.revision, "percent": one.percent, "tag": one.tag} for one in model.routes
        ],
        "url": model.predict_url,
    }

"""What KServe in Knative mode makes of an InferenceService: its revisions, their traffic and its status,
decided without doing anything.

As in Knative, every change of the template is a new revision, scale bounds and labels included;
`canaryTrafficPercent` alone is not. A revision that has been ready once stays ready, so "the newest ready
one" never goes back. Unlike in Knative a revision that is superseded before it was ever ready is dropped at
once, and modelStatus stays UpToDate while a model sleeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knoll.laptop.serving.traffic import Rollout, Target, settle
from knoll.ports import Document

__all__ = [
    "GAVE_UP",
    "Plan",
    "Verdict",
    "min_scale",
    "plan",
    "service_of",
    "traffic_of",
    "verdict",
    "with_verdict",
]

_SERVICE = "serving.kserve.io/inferenceservice"
GAVE_UP = "ProgressDeadlineExceeded"
_KSVC = "serving.knative.dev/service"
_NUMBER = "serving.knative.dev/configurationGeneration"
_MIN_SCALE = "autoscaling.knative.dev/min-scale"
_MAX_SCALE = "autoscaling.knative.dev/max-scale"
_TAGS = "serving.kserve.io/enable-tag-routing"
_NOT_IN_TEMPLATE = {
    "serving.knative.dev/rollout-duration",
    "kubectl.kubernetes.io/last-applied-configuration",
}
_NOT_IN_POD = {"minReplicas", "maxReplicas", "canaryTrafficPercent", "labels", "annotations", "timeout"}


@dataclass(frozen=True)
class Verdict:
    """Whether a revision has become ready: "True", "False" or "Unknown", and why; `exit_code` is the last one
    of its server."""

    status: str = "Unknown"
    reason: str = "Deploying"
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be written: a new Revision or None, names of Revisions that nothing refers to, and the
    InferenceService's status."""

    create: Document | None
    delete: tuple[str, ...]
    status: Document


def plan(service: Document, revisions: Sequence[Document], url: str) -> Plan:
    """What follows from an InferenceService and the Revisions that carry its name; `url` is the base under
    which models are reached."""
    uid = service["metadata"].get("uid")
    own = sorted((one for one in revisions if _owner(one) == uid), key=_number)
    wanted = _revision(service, _number(own[-1]) + 1 if own else 1)
    create = None if own and _template(own[-1]) == _template(wanted) else wanted
    known = [*own, create] if create else own
    rollout = _rollout(service, known)
    kept = {rollout.created, rollout.ready, rollout.rolled_out, rollout.previous}
    garbage = tuple(name for name in map(_name, revisions) if name not in kept or name not in map(_name, own))
    return Plan(create, garbage, _status(service, rollout, verdict(known[-1]), url))


def verdict(revision: Document) -> Verdict:
    """What the Revision's status says about its readiness."""
    for one in (revision.get("status") or {}).get("conditions") or []:
        if one["type"] == "Ready":
            return Verdict(one["status"], one.get("reason", ""), one.get("message", ""), one.get("exitCode"))
    return Verdict()


def with_verdict(revision: Document, found: Verdict) -> Document:
    """The Revision with another readiness."""
    condition: Document = {
        "type": "Ready",
        "status": found.status,
        "reason": found.reason,
        "message": found.message,
    }
    if found.exit_code is not None:
        condition["exitCode"] = found.exit_code
    return {**revision, "status": {"conditions": [condition]}}


def min_scale(revision: Document) -> int:
    """How many replicas are kept without traffic; KServe takes 1 when `minReplicas` is not set."""
    return int(revision["metadata"]["annotations"][_MIN_SCALE])


def service_of(revision: Document) -> str:
    """Name of the InferenceService that a Revision belongs to."""
    return str(revision["metadata"]["labels"][_SERVICE])


def traffic_of(service: Document) -> list[Document]:
    """The observed traffic of an InferenceService: targets with revisionName, percent and, where tagged, tag
    and url."""
    predictor = ((service.get("status") or {}).get("components") or {}).get("predictor") or {}
    traffic: list[Document] = predictor.get("traffic") or []
    return traffic


def _revision(service: Document, number: int) -> Document:
    metadata, predictor = service["metadata"], service["spec"]["predictor"]
    name = f"{metadata['name']}-predictor"
    owner = {key: service[key] for key in ("apiVersion", "kind")} | {
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "controller": True,
    }
    scale = {_MIN_SCALE: str(predictor.get("minReplicas", 1))}
    if "maxReplicas" in predictor:
        scale[_MAX_SCALE] = str(predictor["maxReplicas"])
    spec = {key: value for key, value in predictor.items() if key not in _NOT_IN_POD}
    if "timeout" in predictor:
        spec["timeoutSeconds"] = predictor["timeout"]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": f"{name}-{number:05d}",
            "labels": {
                **_merged("labels", service),
                _SERVICE: metadata["name"],
                _KSVC: name,
                _NUMBER: str(number),
            },
            "annotations": {**_merged("annotations", service), **scale},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _merged(field: str, service: Document) -> dict[str, str]:
    both = {**(service["metadata"].get(field) or {}), **(service["spec"]["predictor"].get(field) or {})}
    return {key: value for key, value in both.items() if key not in _NOT_IN_TEMPLATE}


def _template(revision: Document) -> tuple[Any, ...]:
    metadata = revision["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key != _NUMBER}
    return labels, metadata["annotations"], revision["spec"]


def _name(revision: Document) -> str:
    return str(revision["metadata"]["name"])


def _number(revision: Document) -> int:
    return int(revision["metadata"]["labels"][_NUMBER])


def _owner(revision: Document) -> str | None:
    owner: str | None = revision["metadata"]["ownerReferences"][0]["uid"]
    return owner


def _rollout(service: Document, known: Sequence[Document]) -> Rollout:
    before = ((service.get("status") or {}).get("components") or {}).get("predictor") or {}
    names = [_name(one) for one in known]
    rolled_out, previous = (
        before.get(field, "") for field in ("latestRolledoutRevision", "previousRolledoutRevision")
    )
    ready = next((_name(one) for one in reversed(known) if verdict(one).status == "True"), "")
    rollout = Rollout(
        names[-1], ready, rolled_out if rolled_out in names else "", previous if previous in names else ""
    )
    is_tagged = _merged("annotations", service).get(_TAGS) == "true"
    return settle(rollout, service["spec"]["predictor"].get("canaryTrafficPercent"), is_tagged)


def _target(target: Target, url: str, prefix: str) -> Document:
    document: Document = {
        "revisionName": target.revision,
        "latestRevision": target.is_latest,
        "percent": target.percent,
    }
    return document | ({"tag": target.tag, "url": f"{url}/{target.tag}-{prefix}"} if target.tag else {})


def _status(service: Document, rollout: Rollout, newest: Verdict, url: str) -> Document:
    predictor = {
        "latestCreatedRevision": rollout.created,
        "latestReadyRevision": rollout.ready,
        "latestRolledoutRevision": rollout.rolled_out,
        "previousRolledoutRevision": rollout.previous,
        "traffic": [_target(one, url, f"{service['metadata']['name']}-predictor") for one in rollout.traffic],
        "url": url if rollout.traffic else "",
    }
    return {
        "observedGeneration": service["metadata"].get("generation"),
        "conditions": _conditions(rollout, newest),
        "components": {"predictor": {key: value for key, value in predictor.items() if value}},
        "modelStatus": _model_status(service, rollout, newest),
        **({"url": url} if rollout.traffic else {}),
    }


def _conditions(rollout: Rollout, newest: Verdict) -> list[Document]:
    configuration = _configuration(rollout.created, newest)
    route = {"status": "True"} if rollout.traffic else configuration
    both = configuration if configuration["status"] != "True" else route
    states: Mapping[str, Document] = {
        "PredictorConfigurationReady": configuration,
        "PredictorRouteReady": route,
        "PredictorReady": both,
        "IngressReady": route,
        "Ready": both,
    }
    return [{"type": name, **state} for name, state in states.items()]


def _configuration(created: str, newest: Verdict) -> Document:
    if newest.status == "True":
        return {"status": "True"}
    if newest.status == "Unknown":
        return {"status": "Unknown", "reason": newest.reason, "message": newest.message}
    message = f'Revision "{created}" failed with message: {newest.message}'
    return {"status": "False", "reason": "RevisionFailed", "message": message}


def _model_status(service: Document, rollout: Rollout, newest: Verdict) -> Document:
    target, transition = {"True": ("Loaded", "UpToDate"), "Unknown": ("Loading", "InProgress")}.get(
        newest.status, ("FailedToLoad", "BlockedByFailedLoad")
    )
    states = {"targetModelState": target, **({"activeModelState": "Loaded"} if rollout.ready else {})}
    failure = ((service.get("status") or {}).get("modelStatus") or {}).get("lastFailureInfo")
    if newest.status == "False":
        failure = {
            "reason": "ModelLoadFailed",
            "message": newest.message,
            "modelRevisionName": rollout.created,
        }
        failure |= {} if newest.exit_code is None else {"exitCode": newest.exit_code}
    return {
        "transitionStatus": transition,
        "states": states,
        **({"lastFailureInfo": failure} if failure else {}),
    }

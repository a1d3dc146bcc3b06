"""The status of an InferenceService, as KServe writes it."""

from collections.abc import Mapping

from knoll.kube.predictors import predictor_name
from knoll.laptop.serving.revisions import Readiness
from knoll.laptop.serving.traffic import Rollout, TrafficTarget
from knoll.ports import Document

__all__ = ["isvc_status"]


def isvc_status(isvc: Document, rollout: Rollout, newest: Readiness, url: str) -> Document:
    """The whole status. `newest` is the verdict on the newest Revision, `url` the base URL of all models."""
    prefix = predictor_name(isvc["metadata"]["name"])
    predictor = {
        "latestCreatedRevision": rollout.created,
        "latestReadyRevision": rollout.ready,
        "latestRolledoutRevision": rollout.rolled_out,
        "previousRolledoutRevision": rollout.previous,
        "traffic": [_target(one, url, prefix) for one in rollout.traffic],
        "url": url if rollout.traffic else "",
    }
    return {
        "observedGeneration": isvc["metadata"].get("generation"),
        "conditions": _conditions(rollout, newest),
        "components": {"predictor": {key: value for key, value in predictor.items() if value}},
        "modelStatus": _model_status(isvc, rollout, newest),
        **({"url": url} if rollout.traffic else {}),
    }


def _target(target: TrafficTarget, url: str, prefix: str) -> Document:
    document: Document = {
        "revisionName": target.revision,
        "latestRevision": target.is_latest,
        "percent": target.percent,
    }
    return document | ({"tag": target.tag, "url": f"{url}/{target.tag}-{prefix}"} if target.tag else {})


def _conditions(rollout: Rollout, newest: Readiness) -> list[Document]:
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


def _configuration(created: str, newest: Readiness) -> Document:
    if newest.status == "True":
        return {"status": "True"}
    if newest.status == "Unknown":
        return {"status": "Unknown", "reason": newest.reason, "message": newest.message}
    message = f'Revision "{created}" failed with message: {newest.message}'
    return {"status": "False", "reason": "RevisionFailed", "message": message}


def _model_status(isvc: Document, rollout: Rollout, newest: Readiness) -> Document:
    target, transition = {"True": ("Loaded", "UpToDate"), "Unknown": ("Loading", "InProgress")}.get(
        newest.status, ("FailedToLoad", "BlockedByFailedLoad")
    )
    failure = ((isvc.get("status") or {}).get("modelStatus") or {}).get("lastFailureInfo")
    if newest.status == "False":
        failure = _failure(rollout.created, newest)
    return {
        "transitionStatus": transition,
        "states": {"targetModelState": target, **({"activeModelState": "Loaded"} if rollout.ready else {})},
        **({"lastFailureInfo": failure} if failure else {}),
    }


def _failure(revision: str, found: Readiness) -> Document:
    failure = {"reason": "ModelLoadFailed", "message": found.message, "modelRevisionName": revision}
    return failure | ({} if found.exit_code is None else {"exitCode": found.exit_code})

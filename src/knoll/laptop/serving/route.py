"""Decides which InferenceService a request means, and which Revisions may answer it."""

from collections.abc import Mapping
from dataclasses import dataclass

from knoll.kube.predictors import PREDICTOR_SUFFIX, traffic_of
from knoll.ports import Document

__all__ = ["Route", "answering", "find_route", "why_absent", "why_unavailable"]

_TAGS = ("latest", "prev")


@dataclass(frozen=True)
class Route:
    """What a request asks for: an InferenceService, and the tag of one Revision; "" means that
    `router.choose` decides."""

    isvc: Document
    tag: str

    @property
    def name(self) -> str:
        """Name of the InferenceService."""
        return str(self.isvc["metadata"]["name"])


def find_route(isvcs: Mapping[str, Document], host: str, model: str) -> Route | None:
    """The route by host, such as digits-predictor or prev-digits-predictor, or, if there is no host, by the
    name of the model."""
    if not host:
        return Route(isvcs[model], "") if model in isvcs else None
    if not host.endswith(PREDICTOR_SUFFIX):
        return None
    name = host.removesuffix(PREDICTOR_SUFFIX)
    if name in isvcs:
        return Route(isvcs[name], "")
    tag, _, rest = name.partition("-")
    return Route(isvcs[rest], tag) if tag in _TAGS and rest in isvcs else None


def answering(route: Route) -> list[str]:
    """Names of all Revisions that may answer."""
    traffic = traffic_of(route.isvc)
    if route.tag:
        return [str(one["revisionName"]) for one in traffic if one.get("tag") == route.tag]
    return [str(one["revisionName"]) for one in traffic if one["percent"]]


def why_absent(route: Route) -> str:
    """Why there is nothing at this route, which waiting does not change; "" if there is something, or if it
    may come."""
    tags = [one["tag"] for one in traffic_of(route.isvc) if "tag" in one]
    if not route.tag or not traffic_of(route.isvc) or route.tag in tags:
        return ""
    return f"no revision of {route.name} has the tag {route.tag}; tags: {', '.join(tags) or 'none'}"


def why_unavailable(route: Route) -> str:
    """Why no Revision answers on this route, and what to do."""
    conditions = (route.isvc.get("status") or {}).get("conditions") or []
    message = next((one.get("message", "") for one in conditions if one["type"] == "PredictorReady"), "")
    why = f": {message}" if message else ""
    return (
        f"no revision of {route.name} has been ready yet{why}; `knoll rollout status {route.name}` shows more"
    )

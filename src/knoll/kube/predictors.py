"""What KServe says of the predictor of an InferenceService: its Revisions, and the URLs that lead there."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "PREDICTOR_SUFFIX",
    "ROUTER",
    "predictor_name",
    "predictor_status",
    "router_url",
    "tagged_url",
    "traffic_of",
]

PREDICTOR_SUFFIX = "-predictor"
ROUTER = "knoll-router"  # the Knative Service in front of Models that ask for it


def predictor_name(isvc: str) -> str:
    """The name of the predictor of an InferenceService: of its Knative Service, and of its host."""
    return isvc + PREDICTOR_SUFFIX


def predictor_status(isvc: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the status says about the predictor; empty before the first status."""
    status = (isvc or {}).get("status") or {}
    found: dict[str, Any] = (status.get("components") or {}).get("predictor") or {}
    return found


def traffic_of(isvc: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The traffic in the status of an InferenceService: targets with revisionName, percent and, where tagged,
    tag and url."""
    return predictor_status(isvc).get("traffic") or []


def tagged_url(predictor: Mapping[str, Any], tag: str) -> str:
    """The route of a tag, or with "" that of all traffic. On a cluster the gateway's URL need not resolve,
    but the address with the tag before it does."""
    address = (predictor.get("address") or {}).get("url") or ""
    if tag and address:
        scheme, _, host = address.partition("://")
        return f"{scheme}://{tag}-{host}"
    urls = {one.get("tag"): one.get("url") for one in predictor.get("traffic") or []}
    return (urls.get(tag) if tag else "") or address or predictor.get("url") or ""


def router_url(model: str, predictor: Mapping[str, Any]) -> str:
    """The URL of the router, which is that of the predictor but for the name; "" where there is none, as on a
    laptop."""
    scheme, _, host = str(predictor.get("url") or "").partition("://")
    name = predictor_name(model)
    return f"{scheme}://{ROUTER}{host.removeprefix(name)}" if host.startswith(name) else ""

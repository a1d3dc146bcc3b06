"""Where predictions are asked for: at the router, if visitors stay or a shadow gets copies."""

from typing import Any

import pytest

from knoll.ports import Document
from knoll.views.models import model_view
from support.models import model_document


def url(isvc_url: str, predictor_url: str, **rollout: Any) -> str:
    status = {"url": isvc_url, "components": {"predictor": {"url": predictor_url}}}
    isvc: Document = {"metadata": {"name": "digits"}, "status": status}
    return model_view(model_document("digits", rollout=rollout), isvc).predict_url


@pytest.mark.parametrize(
    ("rollout", "host"),
    [
        ({}, "digits.team.example.com"),
        ({"mode": "canary"}, "digits.team.example.com"),
        ({"mode": "shadow"}, "knoll-router.team.example.com"),
        ({"sticky": "header:x-user"}, "knoll-router.team.example.com"),
    ],
)
def test_a_model_that_needs_the_router_has_its_url(rollout: dict[str, Any], host: str) -> None:
    """The router has the domain of the predictor, whatever the template of Knative's domains is."""
    found = url("http://digits.team.example.com", "http://digits-predictor.team.example.com/", **rollout)
    assert found == f"http://{host}/v1/models/digits:predict"


def test_on_a_laptop_the_gateway_is_the_router() -> None:
    base = "http://127.0.0.1:8080"
    assert url(base, base, sticky="cookie:id") == f"{base}/v1/models/digits:predict"
    assert url("", "", mode="shadow") == ""

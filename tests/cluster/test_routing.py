"""The router on a real cluster: visitors stay with their version, and a shadow gets copies.

Setup        an installation in a namespace of its own, a Model of its own with a version of the digits
Requirement  knoll-router is ready, and sleeps until it is asked
Must         no visitor goes back, no request fails, the champion alone answers beside a shadow
"""

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from knoll.repeating import repeating
from knoll.settings import Settings
from knoll.views.models import find_model
from knoll.wiring.platform import user_platform

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

USERS = 40
FORWARD = {("v000001", "v000002"), ("v000001",), ("v000002",)}
LATER = ["Start 0", "Shift 20", "Shift 50", "Bake 100", "Promote 100"]
IN_THE_SHADOW = ["Start 0", "Shift 0", "Bake 100", "Promote 100"]


class Visitors:
    """Users who ask one after the other, and the versions that each of them got."""

    def __init__(self, installation: Any, name: str, body: Any) -> None:
        environment, domain = installation.environment, installation.environment.get("GATEWAY_DOMAIN")
        host = installation.host(name).replace(f"{name}-predictor", "knoll-router", 1)
        assert domain or urlsplit(view_url(installation, name)).netloc == host
        self.url = (environment.get("GATEWAY_URL") or f"http://{host}") + f"/v1/models/{name}:predict"
        self.host, self.body, self.number = host, body, 0
        self.versions: dict[int, list[str]] = defaultdict(list)
        self.failures: list[str] = []

    @property
    def ways(self) -> set[tuple[str, ...]]:
        """Through which versions any of the users went."""
        return {tuple(seen) for seen in self.versions.values()}

    def ask(self) -> None:
        """The request of the next user."""
        user = self.number = (self.number + 1) % USERS
        headers = {"host": self.host, "x-user": f"user-{user}"}
        try:
            answer = httpx.post(self.url, json=self.body, headers=headers, timeout=90, trust_env=False)
        except httpx.HTTPError as error:
            self.failures.append(repr(error))
            return
        if answer.status_code != 200:
            self.failures.append(f"{answer.status_code} {answer.text[:200]}")
        elif self.versions[user][-1:] != [answer.headers["x-model-version"]]:
            self.versions[user].append(answer.headers["x-model-version"])


def view_url(installation: Any, name: str) -> str:
    """The URL that `kn model describe` shows."""
    settings = Settings(cluster="kubernetes", namespace=installation.namespace)
    return find_model(user_platform(settings), name).predict_url


def begin(installation: Any, name: str, seven: Any, **rollout: Any) -> Visitors:
    """A Model whose first version is that of the digits, and its visitors."""
    installation.declare(name, **rollout)
    installation.give_version(("digits", "v000001"), (name, "v000001"))
    installation.until(lambda: installation.status(name).get("rollout", {}).get("seen"), 120)
    installation.until(
        lambda: (
            installation.predict(name, seven).status_code == 200
            and installation.status(name).get("champion") == "v000001"
        ),
        240,
    )
    installation.wait_for_champion(name, "v000001")
    return Visitors(installation, name, seven)


def test_visitors_stay_while_the_share_grows(installation: Any, first: Any, seven: dict[str, Any]) -> None:
    """Each user has the old version, then the new one, and some have both; none has the old one again."""
    visitors = begin(
        installation, "visits", seven, sticky="header:x-user", idle="hold", minRequests=40, margin=1
    )
    with repeating(visitors.ask, 0.1, 120):
        installation.give_version(("digits", "v000001"), ("visits", "v000002"))
        installation.wait_for_champion("visits", "v000002")
    assert visitors.failures == []
    assert visitors.ways <= FORWARD
    assert installation.steps("visits", "v000002") == LATER
    installation.forget("visits")


def test_a_shadow_gets_copies_and_answers_nobody(
    installation: Any, first: Any, seven: dict[str, Any]
) -> None:
    """With `idle: hold` only copies lead on: the version has no traffic before its bake."""
    visitors = begin(installation, "shaded", seven, mode="shadow", shadow=100, idle="hold", minRequests=20)
    with repeating(visitors.ask, 0.1, 120):
        installation.give_version(("digits", "v000001"), ("shaded", "v000002"))
        installation.wait_for_champion("shaded", "v000002")
    assert visitors.failures == []
    assert all(
        seen in (["v000001", "v000002"], ["v000001"], ["v000002"]) for seen in visitors.versions.values()
    )
    assert installation.steps("shaded", "v000002") == IN_THE_SHADOW
    installation.forget("shaded")

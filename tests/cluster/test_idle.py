"""Without requests and ticks no Pod runs, and all state is kept."""

from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def test_what_nobody_uses_has_no_pods_and_the_next_request_is_answered(
    installation: Any, first: Any, seven: dict[str, Any]
) -> None:
    with installation.without_ticks():
        installation.until(lambda: not any(installation.replicas().values()), 240)
        answer = installation.predict("digits", seven)
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["label"] == "7"

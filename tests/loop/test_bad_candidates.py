"""On a real platform, under load: versions that are broken, failing, slow or wrong, and good ones beside."""

from collections.abc import Callable

import pytest

from knoll.installation import SIGN_FILE
from knoll.records.rollout import list_steps
from loop.conftest import Laptop
from support.candidates import LABELS, Kind, marked, picture
from support.load import Load, asking, questions
from support.models import model_document
from support.trials import Trial, failed_by_a_switch, try_candidate

pytestmark = [pytest.mark.loop, pytest.mark.timeout(400)]

ROLLOUT = {"steps": [50], "minRequests": 20, "bake": "1s", "idle": "hold"}
SAID: dict[Kind, str] = {
    "broken": "never became ready",
    "failing": "requests failed, and 0 of ",
    "slow": "requests took longer than ",
    "wrong": "the gate asks for agreement on 80%",
}
ON_THEIR_WAY = 10  # requests that may have been sent before the end of a trial was seen


def who_answers(load: Load, until: Callable[..., None]) -> set[str]:
    """The versions that answer the next requests."""
    before = len(load.answered)
    until(lambda: len(load.answered) > before + 5 * ON_THEIR_WAY)
    return {one.version for one in load.answered[before + ON_THEIR_WAY :]}


def test_bad_versions_go_and_no_switch_fails_a_request(shared: Laptop, until: Callable[..., None]) -> None:
    """Every second request has a picture on which the failing version fails. Only its own 500 may come back,
    and no version that was rolled back gets another request."""
    platform, key = shared.platform, (shared.home / "signing" / SIGN_FILE).read_text()
    platform.cluster.create(model_document("shop", rollout=ROLLOUT))
    shown = [(picture(number, 1000), label) for number, label in enumerate(LABELS)]
    asked = questions((change(body), label) for body, label in shown for change in (bytes, marked))
    trials: dict[Kind, Trial] = {}
    with asking(platform.settings.url, "shop", asked, rate=30) as load:
        first = try_candidate("good", "shop", platform, key)
        for kind, words in SAID.items():
            trials[kind] = try_candidate(kind, "shop", platform, key)
            assert words in trials[kind].reason
            assert words in shared.knoll("rollout", "status", "shop", "-o", "json")
            assert trials[kind].champion_pin == first.pin
            assert who_answers(load, until) == {first.version}
        last = try_candidate("good", "shop", platform, key)
        assert who_answers(load, until) == {last.version}
    known = [one for one in load.answered if one.sent > first.decided]  # before, nobody was there to answer
    assert failed_by_a_switch(known, [*trials.values()]) == []
    assert all(one.is_as_expected for one in (first, *trials.values(), last))
    with_traffic = {trials["failing"].version, trials["slow"].version}
    assert {one.version for one in known} == {first.version, last.version} | with_traffic
    steps = list_steps("shop", platform.bucket, trials["wrong"].version)
    assert [(one.action, one.percent) for one in steps] == [("Start", 0), ("Hold", 0)]

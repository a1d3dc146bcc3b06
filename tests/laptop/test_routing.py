"""Sticky visitors and shadows, as the laptop's gateway serves them."""

import time
from collections import Counter

from laptop.running import Eventually, Laptop
from support.models import model_document


def declare(laptop: Laptop, phase: str = "Canary", **rollout: object) -> None:
    """The Model of the InferenceService, in a phase of its rollout."""
    made = laptop.cluster.create(model_document("digits", rollout=rollout))
    laptop.cluster.update({**made, "status": {"phase": phase}}, status=True)


def on_new(laptop: Laptop, users: range, header: str = "x-user") -> set[int]:
    answers = {user: laptop.predict(headers={header: f"user-{user}"}) for user in users}
    return {user for user, one in answers.items() if one.headers["x-model-version"] == "v2"}


def test_visitors_stay_with_their_version_while_the_share_grows(
    laptop: Laptop, eventually: Eventually
) -> None:
    """The predictor learns the session, the same for each request of a visitor, and from nobody else."""
    declare(laptop, sticky="header:X-User")
    laptop.serve("--version", "v1")
    seen: set[int] = set()
    for percent in (20, 60):
        laptop.serve("--version", "v2", canary=percent)
        now = on_new(laptop, range(60))
        assert seen <= now
        assert abs(len(now) - 0.6 * percent) < 15
        assert on_new(laptop, range(60)) == now
        seen = now
    told = [
        {name.lower(): value for name, value in laptop.predict(headers=headers).json()["headers"].items()}
        for headers in (
            {"x-user": "a"},
            {"x-user": "a", "x-knoll-session": "mine"},
            {"x-knoll-session": "mine"},
        )
    ]
    assert told[0]["x-knoll-session"] == told[1]["x-knoll-session"]
    assert len(told[0]["x-knoll-session"]) == 32
    assert "x-knoll-session" not in told[2]


def test_a_shadow_gets_copies_and_the_champion_answers(laptop: Laptop, eventually: Eventually) -> None:
    """Each request gets its answer from the champion; what the shadow got counts as asked."""
    declare(laptop, mode="shadow", shadow=50)
    laptop.serve("--version", "v1")
    laptop.serve("--version", "v2", canary=0)
    answers = Counter(laptop.predict().headers["x-model-version"] for _ in range(40))
    assert answers == {"v1": 40}
    copies = laptop.gateway.copies
    eventually(lambda: laptop.gateway.asked["digits-predictor-00002"] == copies.sent)
    assert 8 <= copies.sent + copies.dropped <= 32
    assert laptop.gateway.asked["digits-predictor-00001"] == 40


def test_a_shadow_that_hangs_or_crashes_delays_nobody(laptop: Laptop, eventually: Eventually) -> None:
    """The answers come while all copies hang; those that are too many are dropped."""
    declare(laptop, mode="shadow", shadow=100)
    laptop.serve("--version", "v1")
    laptop.serve("--version", "v2", "--hang", "5", canary=0)
    began = time.monotonic()
    answers = [laptop.predict() for _ in range(30)]
    assert time.monotonic() - began < 5
    assert {one.status_code for one in answers} == {200}
    assert laptop.gateway.copies.dropped >= 20


def test_both_versions_answer_what_is_compared_and_a_copy_has_the_id_of_the_answer(
    laptop: Laptop, eventually: Eventually
) -> None:
    """Whichever of them has answered the client, who cannot say an id."""
    declare(laptop, compare=100)
    laptop.serve("--version", "v1")
    laptop.serve("--version", "v2", canary=50)
    for _ in range(20):
        laptop.predict(headers={"x-knoll-compare": "forged"})
    copies, told = laptop.gateway.copies, laptop.folder / "digits.compared"
    eventually(lambda: told.exists() and len(told.read_text().splitlines()) == copies.sent)
    assert copies.sent + copies.dropped == 20
    assert set(told.read_text().splitlines()) == {"v1 id-of-v2", "v2 id-of-v1"}


def test_no_copy_is_made_when_no_version_is_on_trial(laptop: Laptop) -> None:
    declare(laptop, phase="RollingBack", mode="shadow", shadow=100)
    laptop.serve("--version", "v1")
    laptop.serve("--version", "v2", canary=0)
    assert {laptop.predict().headers["x-model-version"] for _ in range(10)} == {"v1"}
    assert laptop.gateway.copies.sent == 0

"""Signs of a training: moments are forgiven, what lasts is told once, what is served is never forgiven."""

import pytest

from knoll.families.base import Sign
from knoll.trainer.health import Health, Unhealthy, look_at, refuse_if_ill


def accuracy(value: float) -> Sign:
    return Sign("accuracy", value, "it learns nothing more", 0.01, 0.99)


def diversity(value: float) -> Sign:
    return Sign("diversity", value, "all pictures are alike", least=0.02, is_served=True)


def looks(*signs: Sign, every: int = 40) -> tuple[Health, list[str]]:
    """The health after a look at each sign, so many steps apart, and what was told."""
    health = Health()
    told: list[str] = []
    for number, sign in enumerate(signs):
        health, news = look_at(health, [sign], every * number)
        told += news
    return health, told


def test_a_sign_that_stays_ill_is_told_once_and_refused() -> None:
    """With its number and its bound; that it recovers and is ill again is told anew."""
    health, told = looks(*[accuracy(1.0)] * 5)
    words = "it learns nothing more: accuracy is 1, and should be at most 0.99"
    assert told == [f"step 80: {words}"]
    assert health.faults == (words,)
    with pytest.raises(Unhealthy, match=words):
        refuse_if_ill(health.faults)
    _, again = looks(*[accuracy(1.0)] * 3, accuracy(0.7), *[accuracy(float("nan"))] * 3)
    assert len(again) == 2
    assert again[1].endswith("accuracy is nan, and should be a number")


@pytest.mark.parametrize(
    ("values", "every"), [((1, 1), 40), ((1, 1, 0.7), 40), ((1, 0.7, 1, 1), 40), ((0, 0, 0, 0), 10)]
)
def test_moments_are_forgiven(values: tuple[float, ...], every: int) -> None:
    """Two looks, what has recovered, and the first steps, which show nothing yet."""
    health, told = looks(*map(accuracy, values), every=every)
    assert (health.faults, told) == ((), [])
    refuse_if_ill(health.faults)


def test_what_would_be_served_is_never_forgiven() -> None:
    """One look at the end is enough, but people are told only if it lasts."""
    health, told = looks(diversity(0.5), diversity(0.001))
    assert health.faults == ("all pictures are alike: diversity is 0.001, and should be at least 0.02",)
    assert told == []
    assert looks(diversity(0.001), diversity(0.02))[0].faults == ()

"""The curve that the trainer keeps: bounded, and with the newest point."""

from knoll.records.progress import Point
from knoll.trainer.report import longer_curve


def test_a_long_curve_keeps_the_newest_point_and_stays_short() -> None:
    curve: tuple[Point, ...] = ()
    for percent in range(1000):
        curve = longer_curve(curve, Point(percent, {}))
        assert len(curve) <= 128
        assert curve[-1].percent == percent
    assert [one.percent for one in curve] == sorted(one.percent for one in curve)

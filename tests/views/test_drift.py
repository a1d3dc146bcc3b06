"""Answers by class beside the training data: what has shifted is told, and chance is not."""

from dataclasses import replace

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.platform import memory_platform
from knoll.ports import Platform
from knoll.records.dataset import Dataset, DatasetObject, write_dataset
from knoll.records.evidence import Report, write_report
from knoll.records.manifest import Manifest, write_manifest
from knoll.records.outputs import Outputs, classes_name
from knoll.views.drift import drift_document, read_drift

CLASSES = ("bean", "pea", "rice")


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def platform(clock: MemoryClock) -> Platform:
    """v000001 was trained on 30 beans, 30 peas and 40 grains of rice."""
    made = memory_platform(clock)
    keys = [
        f"{name}/{number}.png"
        for name, count in zip(CLASSES, (30, 30, 40), strict=True)
        for number in range(count)
    ]
    objects = tuple(DatasetObject(f"s3://data/seeds/{key}", "e", 1) for key in keys)
    data = Dataset("seeds", "s3://data/seeds/", objects)
    write_dataset(data, made.bucket)
    manifest = Manifest("seeds", "v000001", "image-classifier", "r", data.digest, {}, {}, "now", "0", {})
    write_manifest(manifest, made.bucket)
    return made


def report(platform: Platform, *counts: int, name: str = "", replica: str = "pod") -> None:
    outputs = Outputs(name or classes_name(CLASSES), counts)
    at = platform.clock.now().isoformat()
    made = Report("seeds", "v000001", replica, sum(counts), 0, reported_at=at, outputs=outputs)
    write_report(made, platform.bucket)


def test_answers_that_have_shifted_are_told_with_the_class_that_moved_most(platform: Platform) -> None:
    report(platform, 60, 20, 20, replica="one")
    report(platform, 60, 20, 20, replica="two")
    found = read_drift(platform, "seeds", "v000001")
    assert found is not None
    assert found.distance == pytest.approx(0.3)
    assert (
        found.words == "v000001: 60% of 200 answers are bean, and 30% of its training data: they have shifted"
    )
    told = drift_document(found)
    assert told is not None
    assert (told["hasShifted"], told["answered"]["bean"], told["trained"]["rice"]) == (True, 120, 40)


@pytest.mark.parametrize("counts", [(33, 27, 40), (300, 290, 410), (9, 0, 1), (38, 24, 38)])
def test_chance_and_few_answers_are_no_shift(platform: Platform, counts: tuple[int, ...]) -> None:
    report(platform, *counts)
    found = read_drift(platform, "seeds", "v000001")
    assert found is not None
    assert not found.has_shifted
    assert "shifted" not in found.words


def test_other_classes_old_reports_and_files_without_classes_tell_nothing(
    platform: Platform, clock: MemoryClock
) -> None:
    report(platform, 500, 0, 0, name="classes-of-others")
    assert read_drift(platform, "seeds", "v000001") is None
    report(platform, 600, 0, 0)
    assert read_drift(platform, "seeds", "v000001") is not None
    clock.move(8 * 86_400)
    assert read_drift(platform, "seeds", "v000001") is None
    assert read_drift(platform, "seeds", "v000002") is None
    assert read_drift(platform, "seeds", "") is None
    assert drift_document(None) is None


def test_a_class_that_is_never_answered_is_a_shift_too(platform: Platform) -> None:
    report(platform, 100, 0, 100)
    found = read_drift(platform, "seeds", "v000001")
    assert found is not None
    assert found.has_shifted
    assert not replace(found, answered={}).has_shifted

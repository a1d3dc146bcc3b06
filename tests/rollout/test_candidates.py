"""Which version is next, and that finding it costs no more when there have been many."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import NewerSchema
from knoll.models import Model, parse_model
from knoll.models.spec import GateSpec, TrainingSpec
from knoll.names import version_name
from knoll.ports import ObjectInfo, Platform
from knoll.records.claim import Claim, claim_uri
from knoll.records.manifest import Manifest, entry_of, manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.rollout import RolloutStep, write_step
from knoll.records.run import Run, run_uri
from knoll.records.signature import Signature, Tensor
from knoll.rollout.candidates import examine_version, next_candidate
from knoll.rollout.found_change import find_change
from knoll.rollout.slot import Slot
from knoll.rollout.trial import judged

ROOT = "s3://knoll-models"


class Counting(MemoryStore):
    """A store that counts what it lists."""

    listed = 0

    def list(self, prefix: str, *, after: str = "") -> Any:
        """As the contract says."""
        found: list[ObjectInfo] = [*super().list(prefix, after=after)]
        self.listed += len(found)
        return iter(found)


@pytest.fixture
def model() -> Model:
    document = {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": "digits"}}
    return parse_model(
        {**document, "spec": {"family": "image-classifier", "dataset": {"uri": "s3://data/digits/"}}}
    )


def manifest(number: int, accuracy: float = 1.0) -> Manifest:
    name = version_name(number)
    return Manifest(
        "digits", name, "image-classifier", f"run-{number}", "d", {}, {"accuracy": accuracy}, "now", "0", {}
    )


def platform_with(*numbers: int) -> tuple[Platform, Counting]:
    """A platform where these versions are, each of a run that has ended with it."""
    store = Counting(lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for number in range(1, 1 + max(numbers, default=0)) if max(numbers, default=0) < 2000 else numbers:
        store.put(claim_uri(ROOT, "digits", version_name(number)), Claim(f"run-{number}").encode())
    for number in numbers:
        run = Run(f"run-{number}", "digits", "image-classifier", "d", "s3://d", {}, "now")
        store.put(run_uri(ROOT, run.id), run.encode())
        store.put(version_uri(ROOT, "digits", version_name(number)) + "model.onnx", b"")
        store.put(manifest_uri(ROOT, "digits", version_name(number)), manifest(number).encode())
        store.put(
            outcome_uri(ROOT, f"run-{number}"), Outcome("succeeded", "now", version_name(number)).encode()
        )
    return memory_platform(store=store), store


@pytest.mark.parametrize(
    ("numbers", "champion", "quarantined", "wanted"),
    [
        ((), "", (), ""),
        ((1, 2), "", (), "v000002"),
        ((1, 2), "v000002", (), ""),
        ((1, 2, 3), "v000001", ("v000003",), "v000002"),
        ((1, 2, 3), "v000001", ("v000002", "v000003"), ""),
        ((1, 2, 3, 4), "v000001", ("v000003",), "v000004"),
        ((2, 3), "v000001", (), "v000003"),
        ((5,), "", ("v000009",), "v000005"),
        ((999_998, 999_999, 1_000_000), "v999998", (), "v999999"),
        ((999_998, 999_999, 1_000_000), "v999999", (), "v1000000"),
        ((999_999, 1_000_000, 1_000_001), "v1000000", (), "v1000001"),
    ],
)
def test_the_newest_version_is_tried_unless_it_was_or_a_newer_one_serves(
    model: Model, numbers: tuple[int, ...], champion: str, quarantined: tuple[str, ...], wanted: str
) -> None:
    """Also where those that were tried are gone, and where numbers outgrow their six digits."""
    platform, _ = platform_with(*numbers)
    assert (
        next_candidate(
            model, Slot(champion=champion, quarantine=dict.fromkeys(quarantined, "bad")), "", platform
        )
        == wanted
    )


def test_versions_from_before_the_champion_are_not_listed(model: Model) -> None:
    """However many there are: the files of the champion and of what came after it are all that is listed."""
    platform, store = platform_with(*range(1, 1001))
    assert next_candidate(model, Slot(champion="v000999"), "", platform) == "v001000"
    assert store.listed <= 4


def test_a_manifest_that_claims_to_be_of_a_newer_knoll_stops_no_other_version(model: Model) -> None:
    """Only one that a run has published is left to a newer function."""
    platform, store = platform_with(1, 2)
    outcome = Outcome("succeeded", "now", "v000002", manifest_sha256=entry_of(manifest(2).encode()).sha256)
    store.put(outcome_uri(ROOT, "run-2"), outcome.encode())
    newer = replace(manifest(2), schema=99).encode()
    for version in ("v000002", "v000009"):
        store.put(manifest_uri(ROOT, "digits", version), newer)
    assert next_candidate(model, Slot(), "", platform) == "v000001"
    store.put(outcome_uri(ROOT, "run-2"), replace(outcome, manifest_sha256=entry_of(newer).sha256).encode())
    with pytest.raises(NewerSchema, match="schema 99"):
        next_candidate(model, Slot(), "", platform)


@pytest.mark.parametrize("copy", [manifest(1), replace(manifest(1), version="v000003")])
def test_a_number_that_no_run_has_claimed_is_not_even_refused(model: Model, copy: Manifest) -> None:
    """Somebody has copied a version there."""
    platform, store = platform_with(1)
    store.put(manifest_uri(ROOT, "digits", "v000003"), copy.encode())
    assert next_candidate(model, Slot(), "", platform) == "v000001"
    assert next_candidate(model, Slot(champion="v000001"), "", platform) == ""


def test_a_version_waits_for_the_outcome_of_its_run(model: Model) -> None:
    """The manifest is sealed before, by a trainer that may still turn out to be a zombie."""
    platform, store = platform_with(1, 2)
    store.delete(outcome_uri(ROOT, "run-2"))
    assert next_candidate(model, Slot(), "", platform) == "v000001"


@pytest.mark.parametrize(
    "outcome", [Outcome("succeeded", "now", "v000003"), Outcome("skipped", "now"), Outcome("failed", "now")]
)
def test_a_version_that_its_run_has_not_ended_with_is_refused(model: Model, outcome: Outcome) -> None:
    """A zombie published it when its run had gone to somebody else; or somebody has put it there."""
    platform, store = platform_with(1, 2)
    store.put(outcome_uri(ROOT, "run-2"), outcome.encode())
    assert next_candidate(model, Slot(), "", platform) == "v000002"
    assert (
        "run-2 has not ended with this version" in examine_version(model, Slot(), "v000002", platform).fault
    )
    assert examine_version(model, Slot(), "v000001", platform).fault == ""


def test_a_version_that_the_model_does_not_ask_for_any_more_is_passed_over(model: Model) -> None:
    """It comes back with the config. Records of older releases say nothing of the prefix."""
    platform, store = platform_with(1, 2, 3)
    others: tuple[dict[str, Any], ...] = (
        {"config": {"epochs": 2}},
        {"prefix": "s3://data/other/"},
        {"family": "pixel-gan"},
    )
    for number, other in enumerate(others, 1):
        asked = Run(f"run-{number}", "digits", "image-classifier", "d", "s3://d", {}, "now")
        store.put(run_uri(ROOT, asked.id), replace(asked, **other).encode())
        assert next_candidate(model, Slot(), "", platform) == ("v000003" if number < 3 else "")
    training = TrainingSpec(config={"epochs": 2})
    assert next_candidate(model.model_copy(update={"training": training}), Slot(), "", platform) == "v000001"


def test_older_data_never_takes_the_place_of_newer_data(model: Model) -> None:
    """Events come in any order, so the older data may be trained last."""
    platform, store = platform_with(1, 2)
    for number, data_at in ((1, "2026-01-02T00:00:00+00:00"), (2, "2026-01-01T00:00:00+00:00")):
        run = Run(f"run-{number}", "digits", "image-classifier", "d", "s3://d", {}, "now", data_at=data_at)
        store.put(run_uri(ROOT, run.id), run.encode())
    assert (
        "older than that of v000001"
        in examine_version(model, Slot(champion="v000001"), "v000002", platform).fault
    )
    assert examine_version(model, Slot(champion="v000002"), "v000001", platform).fault == ""


def test_data_that_says_to_be_of_the_future_ends_no_model(model: Model) -> None:
    """A version's data came to be before the version."""
    platform, store = platform_with(1, 2)
    for number, data_at, day in ((1, "2099-01-01T00:00:00+00:00", 1), (2, "2026-01-02T00:00:00+00:00", 3)):
        run = Run(f"run-{number}", "digits", "image-classifier", "d", "s3://d", {}, "now", data_at=data_at)
        store.put(run_uri(ROOT, run.id), run.encode())
        made = replace(manifest(number), created_at=f"2026-01-0{day}T00:00:00+00:00")
        store.put(manifest_uri(ROOT, "digits", version_name(number)), made.encode())
    assert examine_version(model, Slot(champion="v000001"), "v000002", platform).fault == ""


@pytest.mark.parametrize(
    ("is_allowed", "labels"), [(False, "ab"), (False, "abc"), (False, "ac"), (True, "ac")]
)
def test_other_classes_than_the_champions_need_a_word(model: Model, is_allowed: bool, labels: str) -> None:
    platform, store = platform_with(1, 2)
    for number, names in ((1, "ab"), (2, labels)):
        output = Tensor("probabilities", "FP32", (-1, len(names)), "classes", {"labels": list(names)})
        signature = Signature((Tensor("image", "FP32", (-1, 1)),), (output,))
        store.put(version_uri(ROOT, "digits", version_name(number)) + "signature.json", signature.encode())
    rollout = model.rollout.model_copy(update={"allow_signature_change": is_allowed})
    asking = model.model_copy(update={"rollout": rollout})
    reason = judged(asking, Slot(champion="v000001"), "v000002", platform).quarantine.get("v000002", "")
    told = {"ab": "", "abc": "with the new c", "ac": "without b and with the new c"}[
        "ab" if is_allowed else labels
    ]
    assert told in reason
    assert bool(reason) == bool(told)


def test_the_version_of_the_data_that_is_there_again_is_tried_though_it_is_older(model: Model) -> None:
    platform, _ = platform_with(1, 2, 3)
    other = replace(manifest(3), dataset_digest="other")
    platform.store.put(manifest_uri(ROOT, "digits", "v000003"), other.encode())
    serving = Slot(champion="v000003", quarantine={"v000002": "bad"})
    assert next_candidate(model, serving, "run-1", platform) == "v000001"
    assert next_candidate(model, serving, "run-2", platform) == "", "in quarantine"
    assert next_candidate(model, serving, "run-3", platform) == "", "serves"
    assert next_candidate(model, serving, "run-4", platform) == "", "trains"
    back = replace(serving, champion="v000001")
    assert next_candidate(model, back, "run-1", platform) == "", "the newest one is of other data"


def test_a_newer_version_of_the_same_data_follows_the_one_that_serves_and_stays(model: Model) -> None:
    platform, _ = platform_with(1, 2)
    assert next_candidate(model, Slot(champion="v000001"), "run-1", platform) == "v000002"
    assert next_candidate(model, Slot(champion="v000002"), "run-1", platform) == ""
    other = Run("run-2", "digits", "image-classifier", "d", "s3://d", {"epochs": 2}, "now")
    platform.store.put(run_uri(ROOT, other.id), other.encode())
    assert next_candidate(model, Slot(champion="v000002"), "run-1", platform) == "v000001", "config returned"


def test_a_version_that_has_served_is_tried_again_only_for_its_data(model: Model) -> None:
    """The champion is the old version, whose data had returned, and new data is being trained."""
    platform, _ = platform_with(1, 2)
    served = Slot(champion="v000001")
    assert next_candidate(model, served, "run-3", platform) == "v000002"
    step = RolloutStep("digits", "v000002", "v000002", 1, "Promote", "2026-01-01T00:00:00+00:00", 100, "")
    assert write_step(step, platform.bucket)
    assert next_candidate(model, served, "run-3", platform) == ""
    assert next_candidate(model, served, "run-2", platform) == "v000002"


def test_data_that_returns_is_not_compared_with_what_was_trained_meanwhile(model: Model) -> None:
    """Wrong labels may well score higher on themselves."""
    platform, store = platform_with(1, 2)
    store.put(manifest_uri(ROOT, "digits", "v000001"), manifest(1, accuracy=0.5).encode())
    gate = GateSpec.model_validate({"metric": "accuracy", "maxRegression": 0.01})
    compared = model.model_copy(update={"gate": gate})
    assert examine_version(compared, Slot(champion="v000002"), "v000001", platform).fault == ""
    low = model.model_copy(update={"gate": gate.model_copy(update={"at_least": 0.9})})
    assert "0.5" in examine_version(low, Slot(champion="v000002"), "v000001", platform).fault


def test_a_manifest_or_signature_of_a_newer_knoll_that_nobody_published_stops_no_rollout(
    model: Model,
) -> None:
    """It lies over that of the champion, whose files are pinned."""
    platform, store = platform_with(1, 2)
    slot, pinned = Slot(champion="v000001"), entry_of(manifest(1).encode()).sha256
    outcome = Outcome("succeeded", "now", "v000001", manifest_sha256=pinned)
    store.put(outcome_uri(ROOT, "run-1"), outcome.encode())
    store.put(version_uri(ROOT, "digits", "v000001") + "signature.json", b'{"schema": 99}')
    store.put(version_uri(ROOT, "digits", "v000002") + "signature.json", Signature((), ()).encode())
    assert find_change("digits", slot, "v000002", platform.bucket) == ""
    store.put(manifest_uri(ROOT, "digits", "v000001"), b'{"schema": 99}')
    assert examine_version(model, slot, "v000002", platform).fault == ""

"""Removal in a whole bucket: killed on any line, and while somebody chooses a version, on any line, too."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, product
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.cluster import MemoryCluster
from knoll.adapters.memory.platform import memory_platform
from knoll.adapters.memory.store import MemoryStore
from knoll.errors import ClusterUnavailable, KnollError, NotFound
from knoll.names import join, run_id, version_name
from knoll.ports import Document
from knoll.predict.loading import fetch_version
from knoll.records.claim import claim_uri
from knoll.records.evidence import Report, find_reports, write_report
from knoll.records.inbox import inbox_uri
from knoll.records.manifest import Manifest, entry_of, manifest_uri, removed_manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.progress import progress_uri
from knoll.records.recorded import RecordedRequest, list_recorded, recorded_uri
from knoll.records.rollout import RolloutStep, write_step
from knoll.records.run_log import list_run_logs, write_run_log
from knoll.records.strays import find_strays
from knoll.retention.plan import make_plan
from knoll.retention.removal import remove
from knoll.rollout.revision_keys import key_secret
from knoll.rollout.slot import Slot
from knoll.settings import Settings

ROOT = "s3://knoll-models"
FILES = {
    "model.onnx": "graph of {}",
    "signature.json": '{{"inputs": [], "outputs": []}}',
    "samples.json": "[]",
}
MODEL: Document = {
    "apiVersion": "knoll.dev/v1alpha1",
    "kind": "Model",
    "metadata": {"name": "digits"},
    "spec": {"family": "image-classifier", "dataset": {"uri": "s3://data/digits/"}},
}


class Killed(BaseException):
    """The process is gone."""


@dataclass
class World:
    """A store and a cluster, and what happens beside: `before` is called before each of their calls, with its
    number. `of_cluster` has the numbers of the cluster's calls."""

    time: MemoryClock = field(default_factory=MemoryClock)
    before: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        self.calls, self.of_cluster = count(), list[int]()
        self.store = MemoryStore(self.time.now)
        self.cluster = MemoryCluster("default", self.time)
        watched: list[Any] = [Watched(one, self) for one in (self.store, self.cluster)]
        self.platform = memory_platform(self.time, store=watched[0], cluster=watched[1])

    def run(self, number: int) -> str:
        return run_id("digits", str(number), "")

    def publish(self, number: int, *, ended: bool = True, sealed: bool = True) -> None:
        version, run = version_name(number), self.run(number)
        self.store.put(claim_uri(ROOT, "digits", version), run.encode())
        files = {name: body.format(version).encode() for name, body in FILES.items()}
        for name, body in files.items():
            self.store.put(join(version_uri(ROOT, "digits", version), name), body)
        if sealed:
            entries = {name: entry_of(body) for name, body in files.items()}
            manifest = Manifest("digits", version, "image-classifier", run, "d", {}, {}, "now", "0", entries)
            self.store.put(manifest_uri(ROOT, "digits", version), manifest.encode())
        if ended:
            self.store.put(outcome_uri(ROOT, run), Outcome("succeeded", "now", version).encode())
            self.store.put(progress_uri(ROOT, run), b"{}")

    def slot(self, **status: str) -> None:
        document = self.cluster.get("Model", "digits")
        self.cluster.update({**document, "status": {**(document.get("status") or {}), **status}}, status=True)

    def pin(self, version: str) -> None:
        document = self.cluster.get("Model", "digits")
        self.cluster.update(
            {**document, "metadata": {**document["metadata"], "annotations": {"stable": version}}}
        )

    def bodies(self, place: str = f"{ROOT}/") -> dict[str, bytes]:
        return {one.uri: self.store.get(one.uri) for one in self.store.list(place)}

    def is_whole(self, version: str) -> bool:
        """Whether a predictor could load the version now."""
        try:
            return (
                fetch_version(self.store, version_uri(ROOT, "digits", version), "digits").manifest.version
                == version
            )
        except KnollError:
            return False

    def has_files(self) -> list[int]:
        return sorted({int(one.uri.split("/")[5][1:]) for one in self.store.list(f"{ROOT}/models/")})

    def collect(self, keep: int = 2) -> list[str]:
        return [one.version for one in remove(make_plan(self.platform, ["digits"], keep), self.platform)]


class Watched:
    """Tells the world of each call."""

    def __init__(self, behind: Any, world: World) -> None:
        self._behind, self._world = behind, world

    def __getattr__(self, name: str) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            number = next(self._world.calls)
            if self._behind is self._world.cluster:
                self._world.of_cluster.append(number)
            self._world.before(number)
            return getattr(self._behind, name)(*given, **options)

        return call


def make_world() -> World:
    """Six versions, tried but for the last; the rest of a killed run, and of one that still runs. Nothing is
    younger than two days."""
    world = World()
    world.cluster.create(MODEL)
    for number in range(1, 7):
        world.publish(number)
    world.publish(7, sealed=False)
    world.publish(8, ended=False, sealed=False)
    world.slot(champion="v000005", previous="v000002")
    world.time.present += timedelta(days=2)
    return world


def make_small_world() -> World:
    """Four versions, all tried: the last two are used, and the newest."""
    world = World()
    world.cluster.create(MODEL)
    for number in range(1, 5):
        world.publish(number)
    world.slot(champion="v000004", previous="v000003")
    world.time.present += timedelta(days=2)
    return world


def test_what_is_superfluous_goes_and_all_else_stays() -> None:
    """Claims, outcomes and what is used stay, with every byte; the next pass finds nothing to do."""
    world = make_world()
    world.store.put(inbox_uri(ROOT, world.run(8), "2026-01-01T00:00:00+00:00"), b"{}")
    assert world.collect() == []
    assert world.has_files() == [2, 5, 6, 8]
    assert all(world.is_whole(version_name(number)) for number in (2, 5, 6))
    assert [
        len(list(world.store.list(f"{ROOT}/{place}/")))
        for place in ("claims", "outcomes", "progress", "inbox")
    ] == [8, 7, 0, 1]
    assert make_plan(world.platform, [], 2).objects == 0


def test_reports_on_a_version_are_no_use_of_it_and_go_with_it() -> None:
    world = make_world()
    for number in (1, 2, 5):
        write_report(Report("digits", version_name(number), "pod", 9, 0), world.platform.bucket)
    world.collect()
    assert world.has_files() == [2, 5, 6, 8]
    assert [number for number in range(1, 9) if reports(world, number)] == [2, 5]


def test_the_logs_of_a_run_go_a_month_after_its_end() -> None:
    """Those of a run that has not ended stay."""
    world = make_world()
    for number in (1, 8):
        write_run_log(world.run(number), world.time.now(), "said\n", world.platform.bucket)
    world.collect()
    assert list_run_logs(world.platform.bucket).keys() == {world.run(1), world.run(8)}
    assert not [one for one in find_strays(world.platform.bucket) if one.key.startswith("logs/")]
    world.time.present += timedelta(days=29)
    world.collect()
    assert list_run_logs(world.platform.bucket).keys() == {world.run(8)}


def test_the_key_of_a_version_goes_with_it() -> None:
    """And no other Secret."""
    world = make_world()
    settings = Settings(stamp_key="of the platform")
    document = world.cluster.get("Model", "digits")
    for number in (1, 2, 5):
        secret = key_secret(document, Slot(), version_name(number), settings)
        assert secret is not None
        world.cluster.create(secret)
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "knoll-s3", "labels": {}}}
    world.cluster.create(other)
    world.collect()
    left = [one["metadata"]["labels"].get("knoll.dev/version") for one in world.cluster.list("Secret")]
    assert left == ["v000002", "v000005", None]


def reports(world: World, number: int) -> list[str]:
    return list(find_reports("digits", version_name(number), world.platform.bucket))


def test_a_clock_that_runs_years_ahead_changes_nothing_of_that() -> None:
    world = make_world()
    world.time.present += timedelta(days=4000)
    world.collect()
    assert world.has_files() == [2, 5, 6, 8]


def test_a_dry_run_writes_nothing() -> None:
    world = make_world()
    before = list(world.store.list(f"{ROOT}/"))
    plan = make_plan(world.platform, [], 2)
    assert [one.number for one in plan.folders] == [1, 3, 4, 7]
    assert (len(plan.leftovers), plan.objects) == (7, 3 * 4 + 3 + 7)
    assert list(world.store.list(f"{ROOT}/")) == before


def test_a_model_that_is_gone_keeps_what_its_rollouts_say_it_served() -> None:
    """It may come back, and then its champion serves again."""
    world = make_world()
    for at, version in enumerate(("v000002", "v000005")):
        write_step(
            RolloutStep("digits", version, version, 1, "Promote", f"2026-01-01T00:00:0{at}+00:00", 100, ""),
            world.platform.bucket,
        )
    world.cluster.delete("Model", "digits")
    world.collect(keep=1)
    assert world.has_files() == [2, 5, 6, 8]


def test_a_model_of_which_nothing_is_known_is_told() -> None:
    with pytest.raises(NotFound, match="cats"):
        make_plan(make_world().platform, ["cats"], 2)


def test_a_kill_before_any_call_leaves_no_broken_version_and_the_next_pass_ends_it() -> None:
    """At each moment a version that has a manifest has all its files."""
    calls = total_calls()
    for fatal in range(calls):
        world = make_world()

        def kill(number: int, fatal: int = fatal) -> None:
            if number >= fatal:
                raise Killed

        world.before = kill
        with pytest.raises(Killed):
            world.collect()
        world.before = lambda _: None
        for number in world.has_files():
            assert world.is_whole(version_name(number)) or not has_manifest(world, number), fatal
        world.collect()
        assert world.has_files() == [2, 5, 6, 8], fatal


@pytest.mark.parametrize(
    ("name", "failure", "lasts"),
    [
        (World.pin, Killed, True),
        (lambda world, version: world.slot(candidate=version), ClusterUnavailable, False),
    ],
    ids=["pinned, and killed", "on trial, and failed"],
)
def test_a_version_that_is_named_in_time_is_whole_after_the_next_pass_wherever_one_has_ended(
    name: Callable[[World, str], None], failure: type[BaseException], lasts: bool
) -> None:
    """In time is whenever a pass that nothing disturbs leaves it whole, too. What is not named goes, and what
    gc has put beside it. No call of the store can tell whether the version was named before it."""

    def outcome(moment: int, fatal: int) -> str:
        world = make_small_world()
        place = version_uri(ROOT, "digits", "v000001")
        before = world.bodies(place)

        def disturb(number: int) -> None:
            if number == moment:
                name(world, "v000001")
            if number == fatal or (lasts and number > fatal):
                raise failure("now")

        world.before = disturb
        with suppress(failure):
            world.collect()
        world.before = lambda _: None
        name(world, "v000001")
        world.collect()
        assert {one.uri.split("/")[3] for one in world.store.list(f"{ROOT}/") if "v000002" in one.uri} == {
            "claims"
        }, (moment, fatal)
        assert world.is_whole("v000003")
        if world.is_whole("v000001") and world.bodies(place) == before:
            return "whole"
        return "broken" if has_manifest(world, 1) else "gone"

    undisturbed = make_small_world()
    undisturbed.collect()
    calls = next(undisturbed.calls)
    moments = [*undisturbed.of_cluster, calls]
    in_time = [moment for moment in moments if outcome(moment, calls * 2) == "whole"]
    assert in_time == moments[: len(in_time)]
    assert 0 < len(in_time) < len(moments), "some moments are early enough, and some too late"
    for moment, fatal in product(moments, range(calls)):
        found = outcome(moment, fatal)
        is_late = min(moment, fatal) > in_time[-1]
        assert found == "whole" or (found == "gone" and is_late), (
            f"named before call {moment}, ended at call {fatal}"
        )


def test_a_look_that_fails_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no next pass for that: the next one may come in weeks."""
    world = make_world()
    before, answer = world.bodies(), world.cluster.list

    def fail(kind: str, labels: Any = None) -> list[Document]:
        if not has_manifest(world, 1):
            raise ClusterUnavailable("the API server is away")
        return answer(kind, labels)

    monkeypatch.setattr(world.cluster, "list", fail)
    with pytest.raises(ClusterUnavailable):
        world.collect()
    assert world.bodies() == before


@pytest.mark.parametrize("version", ["v000001", "v000003", "v000004"])
def test_a_version_that_is_chosen_before_any_call_is_whole_or_can_never_be_loaded(version: str) -> None:
    """A predictor that is started when the version is named, and tries ever again, either never loads it or
    serves what stays."""
    stayed = set()
    for moment in range(total_calls() + 1):
        world = make_world()
        loaded: list[bool] = []

        def choose(
            number: int, world: World = world, loaded: list[bool] = loaded, moment: int = moment
        ) -> None:
            if number == moment:
                world.slot(candidate=version)
            if number >= moment:
                loaded.append(world.is_whole(version))

        world.before = choose
        world.collect()
        assert world.is_whole("v000005")
        assert world.is_whole(version) or not any(loaded), (
            f"named before call {moment}: it was loaded, and has gone"
        )
        stayed.add(world.is_whole(version))
    assert stayed == {True, False}, "some moments are early enough, and some too late"


def test_a_version_that_is_chosen_while_somebody_still_reads_the_plan_is_not_touched() -> None:
    world = make_world()
    plan = make_plan(world.platform, [], 2)
    world.time.present += timedelta(hours=1)
    world.slot(candidate="v000003")
    before = list(world.store.list(version_uri(ROOT, "digits", "v000003")))
    assert [one.version for one in remove(plan, world.platform)] == ["v000003"]
    assert list(world.store.list(version_uri(ROOT, "digits", "v000003"))) == before


def test_a_version_that_somebody_completes_meanwhile_stays() -> None:
    """A trainer that was long believed dead seals its version when its files are about to go."""
    world = make_world()
    plan = make_plan(world.platform, [], 2)
    world.publish(7)
    assert [one.version for one in remove(plan, world.platform)] == ["v000007"]
    assert world.is_whole("v000007")


def has_manifest(world: World, number: int) -> bool:
    return any(world.store.list(manifest_uri(ROOT, "digits", version_name(number))))


def total_calls() -> int:
    """How many calls a pass makes that nothing disturbs."""
    world = make_world()
    world.collect()
    return next(world.calls)


_OF_ANOTHER = Manifest("beans", "v000001", "f", "beans-1", "d", {}, {}, "now", "0", {}).encode()


@pytest.mark.parametrize("body", [b"garbage", b"{}", b"[1]", b'{"schema": 99, "needs": "9.9"}', _OF_ANOTHER])
def test_strays_among_the_copies_become_no_manifest_and_stop_no_removal(body: bytes) -> None:
    """Beside a version that stays, one that goes, the rest of a killed run, and a run that still trains."""
    world, healthy = make_world(), make_world()
    left = {removed_manifest_uri(ROOT, "digits", version_name(number)): body for number in (1, 2, 7, 8)}
    left |= {f"{ROOT}/removing/{name}": body for name in ("README", "digits/x.json", "digits/v1/a\n.json")}
    for uri, stray in left.items():
        world.store.put(uri, stray)
    world.collect()
    healthy.collect()
    kept = {uri: one for uri, one in world.bodies().items() if "/removing/" not in uri}
    assert kept == healthy.bodies()
    still = {uri.removeprefix(f"{ROOT}/") for uri in world.bodies(f"{ROOT}/removing/")}
    assert still == {one.key for one in find_strays(world.platform.bucket) if "removing/" in one.key}
    assert "removing/digits/v000008.json" in still


def test_recorded_requests_go_if_they_are_old_or_no_model_asks_for_them() -> None:
    """Those of a Model that cannot be read stay, until it can."""
    world = make_world()
    now = int(world.time.now().timestamp())
    for name, recorded in (("beans", {}), ("leaves", {"share": 0})):
        spec = {**MODEL["spec"], "rollout": {"recorded": recorded}}
        world.cluster.create({**MODEL, "metadata": {"name": name}, "spec": spec})
    for model, days in product(("digits", "beans", "leaves", "gone"), (1, 32)):
        one = RecordedRequest(model, "v000001", f"{days:016x}", now - days * 86_400, "{}")
        world.store.put(recorded_uri(ROOT, one), one.encode())
    assert [one.kind for one in make_plan(world.platform, ["beans"], 2).leftovers] == ["recorded"]
    remove(make_plan(world.platform, (), 2), world.platform)
    left = list_recorded(world.platform.bucket)
    assert {(one.model, one.id[-1]) for one in left} == {("beans", "1"), ("leaves", "1")}

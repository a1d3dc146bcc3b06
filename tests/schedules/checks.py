"""What must be true at every write, and at the end, when faults have stopped and enough ticks have passed.

The checks compare what is stored with what the user did. They take the rules of gates and run ids from knoll.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from knoll.errors import NotFound
from knoll.ingest.landed import Landed, Waiting, last_uri
from knoll.ingest.look import look_and_learn
from knoll.kube.jobs import is_live
from knoll.kube.labels import MANAGED, MODEL_LABEL
from knoll.models import parse_model
from knoll.names import config_digest, model_of_run
from knoll.ports import Document
from knoll.records.dataset import Dataset, dataset_uri, load_dataset
from knoll.records.inbox import inbox
from knoll.records.manifest import Manifest, load_manifest, manifest_uri, verify, version_uri, versions_uri
from knoll.records.outcome import Outcome, load_outcome, outcome_uri, outcomes_uri
from knoll.records.rollout import rollouts_uri
from knoll.records.run import Run, load_run, run_uri, runs_uri, why_not_asked
from knoll.rollout.slot import slot_from_status
from knoll.rollout.wishes import open_wish
from schedules.trainer import WEIGHTS, label, quality

if TYPE_CHECKING:
    from schedules.world import Past, World

__all__ = [
    "wrong_after_a_tick",
    "wrong_at_the_end",
    "wrong_change",
    "wrong_skip",
    "wrong_start",
    "wrong_write",
]

_PASSING_THE_GATE = ("good", "shifted")
_CHANGING = ("progress", "checksums", "survey.json")
_PASSING = ("inbox", "evidence", "labels", "recorded")
_REPEATED = ("superseded",)  # written again, and another release has another form for it


def wrong_write(world: "World", written: Document) -> list[str]:
    """Faults of a Job or InferenceService that has just been written."""
    if written["kind"] == "Job":
        return list(_wrong_job(world, written))
    return list(_wrong_service(world, written)) if written["kind"] == "InferenceService" else []


def wrong_after_a_tick(world: "World") -> list[str]:
    """Faults of the Jobs after a tick, even if processes were held up or killed before it."""
    counts = Counter(_label(job) for job in world.live_jobs())
    return [
        f"doubled: {count} Jobs of {model} are live after a tick"
        for model, count in counts.items()
        if count > 1
    ]


def wrong_change(root: str, uri: str, before: bytes | None, after: bytes | None) -> list[str]:
    """Faults of a change or removal: what knoll has written stays, with few exceptions."""
    place = uri.removeprefix(f"{root}/").partition("/")[0]
    if (
        before in (None, after)
        or not uri.startswith(f"{root}/")
        or place in _CHANGING
        or (place in _REPEATED and after is not None)
        or (after is None and place in _PASSING)
    ):
        return []
    return [f"doubled: {uri} was {'removed' if after is None else 'overwritten'}"]


def wrong_skip(world: "World", uri: str, after: bytes | None) -> list[str]:
    """Faults of a new outcome: Forbid is no reason to skip a run if no other one trains. A process that was
    held up may be late."""
    place, _, file = uri.rpartition("/")
    if after is None or f"{place}/" != outcomes_uri(world.platform.settings.model_root) or world.was_paused:
        return []
    run = file.removesuffix(".json")
    outcome, name = load_outcome(after), model_of_run(run)
    beside = [one for one in world.live_jobs() if _label(one) == name and one["metadata"]["name"] != run]
    if "is Forbid" not in outcome.reason or any(
        _outcome(world, one["metadata"]["name"]) is None for one in beside
    ):
        return []
    return [f"lost: {run} was skipped, and nobody trains {name}"]


def wrong_start(world: "World", uri: str, after: bytes | None) -> list[str]:
    """Faults of a rollout that starts: no declaration since the end of its run has asked for the version."""
    place = f"{world.platform.settings.model_root}/rollouts/"
    step = json.loads(after) if after and uri.startswith(place) else {}
    if step.get("action") != "Start" or step.get("wish"):
        return []
    try:
        run = _run(world, _manifest(world, step["model"], step["version"]).run)
    except NotFound:
        return []  # that is told when the version is served
    outcome = _outcome(world, run.id)
    asked = world.in_force(run.model, datetime.fromisoformat(outcome.ended_at)) if outcome else []
    if any(not why_not_asked(run, parse_model(one)) for one in asked):
        return []
    return [f"wrong version: {run.model} {step['version']} is tried, and nobody asks for it"]


def wrong_at_the_end(world: "World") -> list[str]:
    """All that is lost, doubled or wrong in a world at rest."""
    found = list(world.wrong)
    for name in world.models:
        found += _Model(world, name).wrong()
    found += [
        f"lost: {one.uri} is still in the inbox"
        for one in world.store.list(inbox(world.platform.settings.model_root))
    ]
    return found + [f"lost: Job {job['metadata']['name']} still lives" for job in world.live_jobs()]


def _wrong_job(world: "World", job: Document) -> Iterator[str]:
    name = job["metadata"]["name"]
    live = [one for one in world.cluster.list("Job", MANAGED) if is_live(one)]
    if (
        not is_live(job) or world.was_paused
    ):  # whoever was held up may act late, and what it did is undone: the end is judged
        return
    if _outcome(world, name) is not None:
        yield f"doubled: run {name} has ended, and gets a Job"
    recently = world.in_force(_label(job), world.time.now() - timedelta(seconds=2))
    run = _run(world, name)
    if world.release == "older":
        run = replace(run, model_uid="")  # it does not read whose run that is
    if not any(_is_asked_by(one, run) for one in recently):
        yield f"doubled: run {name} gets a Job, and no Model asks for it"
    if len(live) > world.quota:
        yield f"doubled: {len(live)} Jobs are live, the quota is {world.quota}"
    if sum(_label(one) == _label(job) for one in live) > 1:
        yield f"doubled: two Jobs of {_label(job)} are live"


def _wrong_service(world: "World", service: Document) -> Iterator[str]:
    model, version = service["metadata"]["name"], service["spec"]["predictor"]["labels"]["knoll.dev/version"]
    try:
        manifest = _manifest(world, model, version)
    except NotFound:
        yield f"wrong version: {model} {version} is served and has no manifest"
        return
    try:
        run = _run(world, manifest.run)
    except NotFound:
        yield f"wrong version: {model} {version} is served and has no run"
        return
    yield from _wrong_manifest(world, run, manifest)
    yield from _unseen_answers(world, service)
    yield from _wrong_key(world, service)


def _unseen_answers(world: "World", service: Document) -> Iterator[str]:
    """Whether a version gets traffic that answers otherwise than the champion, never was it, and was not
    approved."""
    model, predictor = service["metadata"]["name"], service["spec"]["predictor"]
    version = predictor["labels"]["knoll.dev/version"]
    slot = slot_from_status(world.cluster.get("Model", model).get("status") or {})
    champion = slot.champion
    if (
        not champion
        or version in slot.steering.approved
        or predictor.get("canaryTrafficPercent") == 0
        or _was_champion(world, model, version)
    ):
        return
    if _label_of(world, model, version) != _label_of(world, model, champion):
        yield f"wrong version: {model} {version} gets traffic and answers otherwise than {champion}"


def _was_champion(world: "World", model: str, version: str) -> bool:
    place = f"{rollouts_uri(world.platform.settings.model_root, model)}{version}/"
    steps = [json.loads(world.store.get(one.uri)) for one in world.store.list(place)]
    return any(one["action"] == "Promote" for one in steps)


def _label_of(world: "World", model: str, version: str) -> str:
    return label(world.store.get(version_uri(world.platform.settings.model_root, model, version) + WEIGHTS))


def _wrong_key(world: "World", service: Document) -> Iterator[str]:
    """The Secret with the key of a predictor is written before the InferenceService that names it."""
    model = service["metadata"]["name"]
    owner = service["metadata"]["ownerReferences"][0]["uid"]
    for one in service["spec"]["predictor"]["containers"][0].get("env", ()):
        name = (one.get("valueFrom") or {}).get("secretKeyRef", {}).get("name")
        try:
            secret = world.cluster.get("Secret", name) if name else None
        except NotFound:
            yield f"no key: {model} is served, and the Secret {name} is not there"
            continue
        if secret and secret["metadata"]["ownerReferences"][0]["uid"] != owner:
            yield f"wrong key: the Secret {name} is not of the Model whose {model} is served"


def _wrong_manifest(world: "World", run: Run, manifest: Manifest) -> Iterator[str]:
    """Whether the version is what the run's data makes, every byte of it."""
    folder = version_uri(world.platform.settings.model_root, manifest.model, manifest.version)
    files = {one.uri.removeprefix(folder): world.store.get(one.uri) for one in world.store.list(folder)}
    verify(manifest, {name: body for name, body in files.items() if name != "manifest.json"})
    read = json.loads(files[WEIGHTS])["read"]
    if (
        read != sorted(_pinned(_dataset(world, run)).values())
        or manifest.dataset_digest != run.dataset_digest
    ):
        yield f"wrong version: {manifest.model} {manifest.version} was not trained on the data of its run"


@dataclass(frozen=True)
class _Trained:
    """A run as it ended: when its data landed (a position in the model's past), what that is worth, and the
    manifests that name the run."""

    run: Run
    landed: int
    quality: str
    outcome: Outcome | None
    manifests: Sequence[Manifest]

    @property
    def version(self) -> str:
        """The one version that counts: that of the outcome."""
        return self.outcome.version if self.outcome else ""


class _Model:
    """One model at the end."""

    def __init__(self, world: "World", name: str) -> None:
        self._world, self._root = world, world.platform.settings.model_root
        self._document = world.cluster.get("Model", name)
        self._model = parse_model(self._document)
        self._name = name
        self._manifests = list(self._sealed())
        self._runs = sorted(
            (self._trained(run) for run in self._records()), key=lambda one: (one.landed, one.version)
        )

    def wrong(self) -> list[str]:
        """Everything that is wrong with it."""
        found = [fault for one in self._runs for fault in self._wrong_run(one)]
        known = {one.run.id for one in self._runs}
        found += [
            f"wrong version: {one.version} names run {one.run}"
            for one in self._manifests
            if one.run not in known
        ]
        twice = Counter(
            (one.run.dataset_digest, config_digest(one.run.family, one.run.config))
            for one in self._runs
            if one.version
        )
        found += [
            f"doubled: dataset {digest[:12]} of {self._name} has {count} versions"
            for (digest, _), count in twice.items()
            if count > 1
        ]
        found += [
            f"doubled: {version} was tried, and is of no run"
            for version in self._tried() - {one.version for one in self._runs}
        ]
        return [*found, *self._wrong_data(), *self._wrong_slot()]

    def _records(self) -> Iterator[Run]:
        for one in self._world.store.list(f"{runs_uri(self._root)}{self._name}-"):
            yield load_run(self._world.store.get(one.uri))

    def _sealed(self) -> Iterator[Manifest]:
        for one in self._world.store.list(versions_uri(self._root, self._name)):
            if one.uri.endswith("/manifest.json"):
                version = one.uri.removesuffix("/manifest.json").rpartition("/")[2]
                yield _manifest(self._world, self._name, version)

    def _tried(self) -> set[str]:
        """The versions that got traffic."""
        place = rollouts_uri(self._root, self._name)
        records = [json.loads(self._world.store.get(one.uri)) for one in self._world.store.list(place)]
        return {record["version"] for record in records if record["action"] == "Start"}

    def _trained(self, run: Run) -> _Trained:
        dataset = _dataset(self._world, run)
        bodies = {one.uri: self._world.bodies[one.etag] for one in dataset.objects}
        manifests = [one for one in self._manifests if one.run == run.id]
        return _Trained(
            run,
            self._landed(dataset, datetime.fromisoformat(run.created_at)),
            quality(bodies),
            _outcome(self._world, run.id),
            manifests,
        )

    def _landed(self, dataset: Dataset, opened: datetime) -> int:
        """The last moment before the run was opened at which the data was this."""
        pinned = _pinned(dataset)
        moments = [
            place
            for place, past in enumerate(self._past)
            if past.at <= opened and pinned.items() <= self._data(place).items()
        ]
        if self._model.dataset.landed.when == "object":
            (uri,) = pinned
            return max((place for place in moments if self._past[place].touched == uri), default=-1)
        return max((place for place in moments if self._named(place) == pinned.keys()), default=-1)

    def _named(self, place: int) -> set[str]:
        """The objects that were the dataset then: all of the data, or what the manifest lists."""
        if self._model.dataset.landed.when != "manifest":
            return set(self._data(place))
        manifest = self._world.bodies.get(self._past[place].etags.get(last_uri(self._model), ""), b"[]")
        return {self._model.dataset.uri + entry["path"] for entry in json.loads(manifest)}

    @property
    def _past(self) -> "Sequence[Past]":
        return self._world.past[self._name]

    def _data(self, place: int) -> Mapping[str, str]:
        return {uri: etag for uri, etag in self._past[place].etags.items() if uri != last_uri(self._model)}

    def _wrong_run(self, one: _Trained) -> Iterator[str]:
        if one.landed < 0:
            yield f"wrong version: run {one.run.id} is of data that never was"
        for manifest in one.manifests:
            yield from _wrong_manifest(self._world, one.run, manifest)
        if one.outcome is None:
            yield f"lost: run {one.run.id} has no outcome"
        elif (one.outcome.state == "succeeded") != bool(one.version) or one.version not in (
            "",
            *(each.version for each in one.manifests),
        ):
            ended = f"{one.outcome.state} {one.version}"
            yield f"wrong version: run {one.run.id} is {ended}, its manifests are {one.manifests}"
        elif one.outcome.state not in self._just(one):
            yield f"lost: run {one.run.id} ({one.quality}) is {one.outcome.state}: {one.outcome.reason}"

    def _just(self, one: _Trained) -> set[str]:
        """How the run may have ended."""
        just = {"rejected" if one.quality == "unreadable" else "succeeded"}
        if one.run.id in self._world.cut_off:
            just.add("failed")
        if one.outcome and one.outcome.superseded and self._has_changed(one):
            just |= {"failed", "skipped"}  # the trainer found out, or train before it gave the run a Job
        if one.outcome and one.outcome.superseded and not self._was_asked_all_the_time(one):
            just.add("skipped")
        if self._model.training.concurrency == "Replace" and one != self._runs[-1]:
            just.add("skipped")
        return just | ({"skipped"} if self._may_skip(one) else set())

    def _was_asked_all_the_time(self, one: _Trained) -> bool:
        opened = datetime.fromisoformat(one.run.created_at)
        past = self._world.declared[self._name]
        later = [each for each in past if each.at > opened] or past[-1:]
        return all(each.document and _is_asked_by(each.document, one.run) for each in later)

    def _may_skip(self, one: _Trained) -> bool:
        """Whether the run may end untrained though its data is still there."""
        if self._model.training.concurrency == "Replace":
            return self._model.dataset.landed.when == "object" and one != self._runs[-1]
        return self._model.training.concurrency == "Forbid"

    def _has_changed(self, one: _Trained) -> bool:
        """Whether the data was another one at any time after it had landed."""
        pinned = _pinned(_dataset(self._world, one.run))
        return any(
            not pinned.items() <= self._data(place).items() for place in range(one.landed, len(self._past))
        )

    def _look(self) -> Landed | Waiting:
        before = (self._document.get("status") or {}).get("dataset") or {}
        return look_and_learn(self._model, self._world.platform, before=before)

    def _wrong_data(self) -> Iterator[str]:
        """Whether what lies in the bucket now has been trained."""
        verdict = self._look()
        if not isinstance(verdict, Landed):
            return
        for dataset in verdict.datasets:
            mine = [
                one
                for one in self._runs
                if one.run.dataset_digest == dataset.digest and not why_not_asked(one.run, self._model)
            ]
            ends = {one.outcome.state for one in mine if one.outcome}
            cut_off = any(one.run.id in self._world.cut_off for one in mine)
            if not mine:
                yield f"lost: the data of {self._name} has landed and has no run"
            elif not (ends & {"succeeded", "rejected"}) and not cut_off and not self._may_skip(mine[-1]):
                outcomes = [one.outcome for one in mine]
                yield f"lost: the data of {self._name} is there, and its runs ended so: {outcomes}"

    def _may_follow(self, one: _Trained, champion: _Trained | None) -> bool:
        """Whether the Model asks for the version, and it is newer than the champion."""
        older = (champion.version, champion.landed) if champion else ("", -1)
        is_newer = one.version > older[0] and one.landed >= older[1]
        return is_newer and not why_not_asked(one.run, self._model)

    def _wrong_wishes(self, status: Mapping[str, Any]) -> Iterator[str]:
        """Humans may have chosen any version. But it is at rest, that version is served, and each wish was
        carried out once, the last one too."""
        place = rollouts_uri(self._root, self._name)
        steps = [json.loads(self._world.store.get(one.uri)) for one in self._world.store.list(place)]
        wishes = Counter(step["wish"] for step in steps if step.get("wish"))
        yield from (f"doubled: {wish} was carried out {n} times" for wish, n in wishes.items() if n > 1)
        left = open_wish(self._document, slot_from_status(status))
        if left or status.get("phase", "Idle") != "Idle":
            yield f"lost: {self._name} is not at rest, {left} is left, the status is {_short(status)}"
        served = [
            one["spec"]["predictor"]["labels"]["knoll.dev/version"]
            for one in self._world.cluster.list("InferenceService")
            if one["metadata"]["name"] == self._name
        ]
        if served != [version for version in [status.get("champion")] if version]:
            yield f"wrong version: {self._name} serves {served}, the champion is {status.get('champion')}"

    def _returned(self, newest: _Trained) -> list[_Trained]:
        """The good versions whose data was there again after that of the newest one had landed."""
        if self._model.dataset.landed.when == "object":
            return []
        later = range(newest.landed + 1, len(self._past))
        return [
            one
            for one in self._runs
            if one.quality in _PASSING_THE_GATE
            and one.version
            and not why_not_asked(one.run, self._model)
            and any(self._is_dataset(place, one) for place in later)
        ]

    def _is_dataset(self, place: int, one: _Trained) -> bool:
        pinned = _pinned(_dataset(self._world, one.run))
        return pinned.items() <= self._data(place).items() and self._named(place) == pinned.keys()

    def _present(self) -> str:
        """Digest of the data that lies in the bucket now and has landed; "" if none has."""
        verdict = self._look()
        return verdict.datasets[0].digest if isinstance(verdict, Landed) else ""

    def _wrong_slot(self) -> Iterator[str]:
        """Whether the version of the data that is there is the champion, and served; or else the newest good
        one, or one whose data returned for a while. If the declaration has changed, a good one may have won
        before, and a newer one that nobody asks for is passed over."""
        status = self._document.get("status") or {}
        if self._name in self._world.wished:
            yield from self._wrong_wishes(status)
            return
        good = [one for one in self._runs if one.quality in _PASSING_THE_GATE and one.version]
        if len(self._world.declared[self._name]) > 1:
            champion = next((one for one in good if one.version == status.get("champion")), None)
            good = [one for one in good if one == champion or self._may_follow(one, champion)]
        wanted = good[-1].version if good else ""
        returned = {one.version: one.run.dataset_digest for one in self._returned(good[-1])} if good else {}
        present = [version for version, digest in returned.items() if digest == self._present()]
        if present:
            (wanted,) = present
        elif status.get("champion") in returned:
            wanted = status["champion"]
        if self._is_justly_held(status, wanted):
            wanted = status["champion"]
        if (status.get("champion", ""), status.get("phase", "Idle")) != (wanted, "Idle"):
            found = f"the status is {_short(status)}, the runs are {_told(self._runs)}"
            yield f"lost: {self._name} {wanted} should be the champion, {found}"
            return
        served = [
            one
            for one in self._world.cluster.list("InferenceService")
            if one["metadata"]["name"] == self._name
        ]
        versions = [one["spec"]["predictor"]["labels"]["knoll.dev/version"] for one in served]
        if versions != ([wanted] if wanted else []):
            yield f"wrong version: {self._name} serves {versions}, the champion is {wanted}"

    def _is_justly_held(self, status: Mapping[str, Any], wanted: str) -> bool:
        """Whether the version waits for approval, because it answers otherwise than the champion."""
        if not wanted or (status.get("held") or {}).get("version") != wanted:
            return False
        labels = {_label_of(self._world, self._name, one) for one in (wanted, status["champion"])}
        return len(labels) > 1 and not _was_champion(self._world, self._name, wanted)


def _told(runs: Sequence[_Trained]) -> list[tuple[object, ...]]:
    return [(one.landed, one.quality, one.outcome and one.outcome.state, one.version) for one in runs]


def _short(status: Mapping[str, object]) -> Mapping[str, object]:
    return {name: status.get(name) for name in ("champion", "candidate", "phase", "quarantine")}


def _dataset(world: "World", run: Run) -> Dataset:
    return load_dataset(
        world.store.get(dataset_uri(world.platform.settings.model_root, run.model, run.dataset_digest))
    )


def _pinned(dataset: Dataset) -> dict[str, str]:
    return {one.uri: one.etag for one in dataset.objects}


def _run(world: "World", run: str) -> Run:
    return load_run(world.store.get(run_uri(world.platform.settings.model_root, run)))


def _is_asked_by(document: Document, run: Run) -> bool:
    """Whether the Model asks for the run; an older release does not write who did."""
    is_its = run.model_uid in ("", document["metadata"]["uid"])
    return is_its and not why_not_asked(run, parse_model(document))


def _manifest(world: "World", model: str, version: str) -> Manifest:
    return load_manifest(world.store.get(manifest_uri(world.platform.settings.model_root, model, version)))


def _outcome(world: "World", run: str) -> Outcome | None:
    try:
        return load_outcome(world.store.get(outcome_uri(world.platform.settings.model_root, run)))
    except NotFound:
        return None


def _label(job: Document) -> str:
    return str((job["metadata"].get("labels") or {}).get(MODEL_LABEL))

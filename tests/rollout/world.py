"""A platform for rollouts: a real document store and object store, with KServe's part played by its own
rules."""

import json
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.memory.clock import MemoryClock
from knoll.adapters.memory.events import MemoryEvents
from knoll.adapters.memory.platform import memory_platform
from knoll.errors import AlreadyExists
from knoll.events import PREDICTOR_OBSERVED, TRAINING_SUCCEEDED, new_event
from knoll.keys import Signer, read_signer
from knoll.names import join, version_name, version_number
from knoll.ports import Document, Platform, PredictAnswer, PredictRequest
from knoll.proofs import REPORT_PURPOSE, prove
from knoll.records.attestation import attest
from knoll.records.claim import Claim, write_claim
from knoll.records.manifest import Manifest, entry_of, manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri
from knoll.records.rollout import rollouts_uri
from knoll.records.run import Run, write_run
from knoll.rollout import handler
from knoll.rollout.reports import read_report
from knoll.rollout.revision_keys import key_of_revision
from knoll.rollout.slot import slot_from_status
from knoll.settings import Settings

__all__ = [
    "MODEL",
    "Replays",
    "World",
    "fail_canary",
    "make_world",
    "promote_canary",
    "promote_first",
    "with_policy",
]

MODEL: Document = {
    "apiVersion": "knoll.dev/v1alpha1",
    "kind": "Model",
    "metadata": {"name": "digits"},
    "spec": {
        "family": "image-classifier",
        "dataset": {"uri": "s3://data/digits/"},
        "gate": {"metric": "accuracy", "atLeast": 0.9, "maxRegression": 0.02},
        "rollout": {
            "steps": [20, 50],
            "minRequests": 20,
            "bake": "60s",
            "margin": 1,
            "idle": "hold",
            "progressDeadline": "100s",
        },
    },
}


@dataclass
class Replays:
    """A predictor that answers replays: with `status` and the label `says`, as the version in `serves`, or as
    the one that the URL names. The versions in `others` say something else."""

    serves: str = ""
    status: int = 200
    says: str = "3"
    others: Mapping[str, str] = field(default_factory=dict)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        assert request.replay
        version = request.url.rpartition("/")[2]
        label = self.others.get(version, self.says)
        body = json.dumps({"predictions": [{"label": label}]}).encode()
        return PredictAnswer(self.status, 0.01, body, request.accept, self.serves or version)


@dataclass
class World:
    """A platform, and what KServe would do with the InferenceService."""

    platform: Platform
    time: MemoryClock
    sink: MemoryEvents
    broken: set[str] = field(default_factory=set)
    samples: int = 1
    templates: dict[str, Document] = field(default_factory=dict)
    passes: int = 2  # of KServe, with an event: until a candidate is ready, and until it has its traffic

    def publish(self, version: str, accuracy: float, signer: Signer | None = None, data: str = "d") -> None:
        """A version, and the outcome of its run, which is of the same name."""
        sample = {"instance": {"b64": ""}, "prediction": {"label": "3"}}
        samples = json.dumps([sample] * self.samples).encode()
        files, metrics = {"samples.json": entry_of(samples)}, {"accuracy": accuracy}
        manifest = Manifest(
            "digits", version, "image-classifier", version, data, {}, metrics, "now", "0", files
        )
        folder = version_uri("s3://knoll-models", "digits", version)
        self.platform.store.put(join(folder, "samples.json"), samples)
        for number in range(1, 1 + version_number(version)):
            claimed = version_name(number)
            write_claim("digits", claimed, Claim(claimed), self.platform.bucket)
        sha256 = entry_of(manifest.encode()).sha256 if signer else ""  # knoll 0.2 wrote none into outcomes
        if signer:
            made = attest("digits", version, sha256, signer)
            self.platform.store.put(join(folder, "attestation.json"), made.encode())
        write_run(Run(version, "digits", "image-classifier", data, "s3://d", {}, "now"), self.platform.bucket)
        self.platform.store.put(
            manifest_uri("s3://knoll-models", "digits", version), manifest.encode(), if_absent=True
        )
        self.platform.store.put(
            outcome_uri("s3://knoll-models", version),
            Outcome("succeeded", "now", version, manifest_sha256=sha256).encode(),
        )

    def tell(self, type: str, **data: Any) -> None:
        event = new_event(type, source="/test", time=self.time.now(), data={"model": "digits", **data})
        handler.handle(event, self.platform)
        for _ in range(self.passes):
            self.kserve()
            handler.handle(event, self.platform)

    def observe(self, version: str, requests: int, errors: int = 0, refused: int = 0) -> None:
        """A predictor reports, with a proof if it has a key."""
        self.tell(PREDICTOR_OBSERVED, **self.report(version, requests, errors, refused=refused))

    def report(self, version: str, requests: int, errors: int = 0, **changes: Any) -> dict[str, Any]:
        """The data of a report; what is changed is proved, too, by a predictor of that version."""
        said = {"instance": f"pod-{version}", "requests": requests, "errors": errors, **changes}
        event = new_event(
            PREDICTOR_OBSERVED, source="", time=self.time.now(), data={"version": version} | said
        )
        key = self.key_of(version)
        if not key:
            return {"version": version, **said}
        proof = prove(key, REPORT_PURPOSE, read_report("digits", event).covered())
        return {"version": version, **said, "proof": proof}

    def key_of(self, version: str) -> str:
        """The key of a predictor: the one in the environment of the newest, or that of another version."""
        if self.service() is not None and self.served()[0] == version:
            return self.revision_key()
        document = self.platform.cluster.get("Model", "digits")
        slot = slot_from_status(document.get("status") or {})
        return key_of_revision(document, slot, version, self.platform.settings)

    def revision_key(self) -> str:
        """The key that the newest predictor finds in its environment; "" if it has none."""
        isvc = self.service()
        assert isvc is not None
        for one in isvc["spec"]["predictor"]["containers"][0].get("env", ()):
            if one["name"] == "KNOLL_REVISION_KEY":
                reference = one["valueFrom"]["secretKeyRef"]
                secret = self.platform.cluster.get("Secret", reference["name"])
                return b64decode(secret["data"][reference["key"]]).decode()
        return ""

    def service(self) -> Document | None:
        found = self.platform.cluster.list("InferenceService")
        return found[0] if found else None

    def champion(self) -> str:
        return str((self.platform.cluster.get("Model", "digits").get("status") or {}).get("champion") or "")

    def served(self) -> tuple[str, int | None]:
        service = self.service()
        assert service is not None
        predictor = service["spec"]["predictor"]
        return predictor["containers"][0]["args"][-1].rstrip("/").rpartition("/")[2], predictor.get(
            "canaryTrafficPercent"
        )

    def kserve(self) -> None:
        """One pass of the controller: the newest revision is ready unless its version is broken, and gets its
        part of the traffic, or all if there is no other to share it with."""
        service = self.service()
        if service is None:
            return
        version, canary = self.served()
        before = (service.get("status") or {}).get("components", {}).get("predictor", {})
        revision = self._revision_of(service, before.get("latestCreatedRevision", ""))
        is_ready = version not in self.broken
        base = before.get("latestRolledoutRevision", "")
        if base == revision and canary is not None and canary < 100:
            base = before.get("previousRolledoutRevision", "")
        percent = (100 if canary is None or not base else canary) if is_ready else 0
        predictor: dict[str, Any] = {
            "latestCreatedRevision": revision,
            "latestReadyRevision": revision if is_ready else "before",
            "latestRolledoutRevision": revision if percent == 100 else base,
            "previousRolledoutRevision": before.get("previousRolledoutRevision", ""),
        }
        if predictor["latestRolledoutRevision"] != base:
            predictor["previousRolledoutRevision"] = base
        predictor["traffic"] = [
            {"revisionName": revision, "percent": percent, "tag": "latest", "url": f"http://tagged/{version}"}
        ]
        if canary is not None or percent < 100:
            other = {"revisionName": "before", "tag": "prev", "url": f"http://tagged/{self.champion()}"}
            predictor["traffic"].append({**other, "percent": 100 - percent})
        self._revise(revision, version, is_ready=is_ready)
        self.platform.cluster.update(
            {**service, "status": {"components": {"predictor": predictor}}}, status=True
        )

    def _revision_of(self, service: Document, last: str) -> str:
        """The last Revision, if nothing but the traffic was changed since; else a new one."""
        template = {**service["spec"]["predictor"], "canaryTrafficPercent": None}
        if last and self.templates.get(last) == template:
            return last
        made = f"digits-{service['metadata']['generation']}-{self.served()[0]}"
        self.templates[made] = template
        return made

    def _revise(self, name: str, version: str, *, is_ready: bool) -> None:
        labels = {"knoll.dev/version": version}
        document = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Revision",
            "metadata": {"name": name, "labels": labels},
            "spec": {},
        }
        with suppress(AlreadyExists):
            self.platform.cluster.create(document)
        ready = (
            {"type": "Ready", "status": "True"}
            if is_ready
            else {"type": "Ready", "status": "False", "reason": "ExitCode65", "message": "digest"}
        )
        live = self.platform.cluster.get("Revision", name)
        self.platform.cluster.update({**live, "status": {"conditions": [ready]}}, status=True)

    def status(self) -> Document:
        status: Document = self.platform.cluster.get("Model", "digits")["status"]
        return status

    def records(self) -> list[str]:
        return [f"{one['version'][-1]} {one['action']} {one['percent']}" for one in self._steps()]

    def reasons(self) -> list[str]:
        return [one["reason"] for one in self._steps()]

    def _steps(self) -> list[Document]:
        root = rollouts_uri("s3://knoll-models", "digits")
        return [json.loads(self.platform.store.get(one.uri)) for one in self.platform.store.list(root)]


def make_world(folder: Path, verify_key: str = "", stamp_key: str = "") -> World:
    """A world with the Model, and nothing trained. With `verify_key`, only what that has signed is rolled
    out. With `stamp_key`, rollout stamps its records, and believes no others."""
    time, sink = MemoryClock(), MemoryEvents()
    cluster = LocalCluster(folder / "knoll.db", "default", time)
    cluster.create(MODEL)
    public = read_signer(stamp_key).public.pem if stamp_key else ""
    settings = Settings(home=folder, verify_key=verify_key, stamp_key=stamp_key, stamp_verify_key=public)
    platform = memory_platform(time, settings, cluster=cluster, events=sink, predictors=Replays())
    return World(platform, time, sink)


def promote_first(world: World) -> None:
    """Make v000001 the champion."""
    world.publish("v000001", 0.95)
    world.tell(TRAINING_SUCCEEDED)
    world.observe("v000001", 20)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert (world.status()["champion"], world.status()["phase"]) == ("v000001", "Idle")


def promote_canary(world: World) -> None:
    """v000002, which has its first traffic, passes each step and the bake."""
    for requests in (20, 40):
        world.observe("v000002", requests)
    world.time.move(61)
    world.tell(TRAINING_SUCCEEDED)
    assert world.status()["champion"] == "v000002"


def fail_canary(world: World) -> None:
    """The candidate fails all that it gets, and the champion answers."""
    champion, candidate = world.champion(), str(world.status()["candidate"])
    world.observe(champion, 10_000)
    world.observe(candidate, 10, errors=10)
    world.tell(TRAINING_SUCCEEDED)


def with_policy(document: Document, **policy: Any) -> Document:
    """The Model with other values in its rollout policy."""
    return {
        **document,
        "spec": {**document["spec"], "rollout": {**document["spec"]["rollout"], **policy}},
    }

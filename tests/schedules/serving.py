"""KServe, Knative Serving and the predictors of a world: they follow the laptop's rules, without waiting."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from knoll.errors import NotFound
from knoll.kube.predictors import traffic_of
from knoll.laptop.serving.plan import plan
from knoll.laptop.serving.revisions import Readiness, verdict, with_verdict
from knoll.ports import Cluster, Document, ObjectStore, PredictAnswer, PredictRequest
from knoll.records.manifest import version_uri
from schedules.trainer import WEIGHTS, label

__all__ = ["Serving"]

_URL = "http://gateway"
_MODEL = "serving.kserve.io/inferenceservice"
_VERSION = "knoll.dev/version"


@dataclass(frozen=True)
class Serving:
    """What serves; `root` is the URI of the model bucket."""

    store: ObjectStore
    cluster: Cluster
    root: str

    def reconcile(self) -> Iterator[Document]:
        """One pass over all InferenceServices and their Revisions; those whose status has changed."""
        services = self.cluster.list("InferenceService")
        owners = {service["metadata"]["uid"] for service in services}
        for revision in self.cluster.list("Revision"):
            if revision["metadata"]["ownerReferences"][0]["uid"] not in owners:
                self.cluster.delete("Revision", revision["metadata"]["name"])
        for service in services:
            written = self._reconciled(service)
            if written["metadata"]["resourceVersion"] != service["metadata"]["resourceVersion"]:
                yield written

    def _reconciled(self, service: Document) -> Document:
        label = {_MODEL: service["metadata"]["name"]}
        first = plan(service, self.cluster.list("Revision", label), _URL)
        if first.create:
            self.cluster.create(first.create)
        for name in first.delete:
            self.cluster.delete("Revision", name)
        for revision in self.cluster.list("Revision", label):
            if verdict(revision).status == "Unknown":
                self.cluster.update(with_verdict(revision, self._loaded(revision)), status=True)
        status = plan(service, self.cluster.list("Revision", label), _URL).status
        return self.cluster.update({**service, "status": status}, status=True)

    def _loaded(self, revision: Document) -> Readiness:
        """Whether the predictor of a Revision is ready. It loads the version; a broken version ends it."""
        labels = revision["metadata"]["labels"]
        return (
            Readiness("False", "ExitCode65", "broken", 65)
            if b'"broken"' in self._weights(labels[_MODEL], labels[_VERSION])
            else Readiness("True", "", "")
        )

    def _weights(self, model: str, version: str) -> bytes:
        return self.store.get(version_uri(self.root, model, version) + WEIGHTS)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """`ports.Predictors`: the route answers as the version that it serves."""
        with suppress(NotFound):
            route = next(
                (
                    one
                    for one in traffic_of(self.cluster.get("InferenceService", request.model))
                    if one.get("url") == request.url
                ),
                None,
            )
            if route:
                labels = self.cluster.get("Revision", route["revisionName"])["metadata"]["labels"]
                said = label(self._weights(request.model, labels[_VERSION]))
                body = json.dumps({"predictions": [{"label": said}]}).encode()
                return PredictAnswer(200, 0.01, body, request.accept, labels[_VERSION])
        return PredictAnswer(404, 0.01, b"", request.accept, "")

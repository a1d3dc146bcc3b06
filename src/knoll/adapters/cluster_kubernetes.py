"""Kubernetes objects behind a real API server, over lightkube.

In a Pod, the ServiceAccount says where the server is and which namespace is meant; elsewhere the kubeconfig
does. Documents pass as they are: the API server checks them, and its refusals become the errors of the port.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import GenericNamespacedResource, create_namespaced_resource
from lightkube.types import CascadeType
from yaml import YAMLError

from knoll.adapters.http_faults import why_no_answer
from knoll.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Conflict,
    Forbidden,
    KnollError,
    NotFound,
    Rejected,
)
from knoll.kube.kinds import (
    BROKER_API,
    INFERENCE_SERVICE_API,
    JOB_API,
    MODEL_API,
    REVISION_API,
    SECRET_API,
)
from knoll.ports import Document
from knoll.quoting import escaped

__all__ = ["KubernetesCluster"]

_TIMEOUT = 10.0  # seconds; a broker waits longer for a function
_KINDS = {
    "Model": (MODEL_API, "models"),
    "Job": (JOB_API, "jobs"),
    "Pod": ("v1", "pods"),
    "ResourceQuota": ("v1", "resourcequotas"),
    "Secret": (SECRET_API, "secrets"),
    "ConfigMap": ("v1", "configmaps"),
    "InferenceService": (INFERENCE_SERVICE_API, "inferenceservices"),
    "Revision": (REVISION_API, "revisions"),
    "Broker": (BROKER_API, "brokers"),
}
# as apiserver's plugin/policy/validating and webhook/errors write it: with 422, 400, 403 or what a policy or
# webhook chooses
_DENIED = re.compile(
    r"""(?:\S+ "[^"]*" is forbidden: ValidatingAdmissionPolicy|admission webhook)"""
    r" [^:]* denied (?:the )?request\b"
)
_NO_CONFIG = (OSError, LookupError, ValueError, TypeError, AttributeError)
_NO_FILE = re.compile(r"Configuration file (.*) not found", re.DOTALL)
_CONFIG = {  # by what lightkube says
    "No current context": "the kubeconfig chooses no context; name one with --context",
    "Context": "the kubeconfig has no such context",
}
_Resource = type[GenericNamespacedResource]


def _generic(kind: str, version: str, plural: str) -> _Resource:
    group, _, name = version.rpartition("/")
    return create_namespaced_resource(group, name, kind, plural)


_RESOURCES = {kind: _generic(kind, *names) for kind, names in _KINDS.items()}


class KubernetesCluster:
    """`ports.Cluster` on an API server. Threads may share it.

    An empty `namespace` means that of the ServiceAccount or context. `kubeconfig` and `context` choose a
    server from outside of a cluster.
    """

    def __init__(self, namespace: str = "", *, kubeconfig: str = "", context: str = "") -> None:
        self._namespace, self._kubeconfig, self._context = namespace, kubeconfig, context
        self._lock = threading.Lock()
        self._built: Client | None = None

    @property
    def namespace(self) -> str:
        """The namespace of all objects. Raises ClusterUnavailable if nothing says where the cluster is."""
        return str(self._client().namespace)

    def create(self, document: Document) -> Document:
        """See `ports.Cluster.create`. Raises Rejected for a document that the API server refuses."""
        resource, name = self._checked(document)
        if "resourceVersion" in document["metadata"]:
            raise Rejected(f"{document['kind']} {name}: resourceVersion must not be set on a new object")
        with self._errors(document["kind"], name):
            return dict(self._client().create(resource.from_dict(document)))

    def get(self, kind: str, name: str) -> Document:
        """See `ports.Cluster.get`."""
        with self._errors(kind, name):
            return dict(self._client().get(_resource(kind), name))

    def list(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Document]:
        """See `ports.Cluster.list`. API servers leave kind and apiVersion out of lists; this adds them."""
        title = {"apiVersion": _KINDS.get(kind, ("",))[0], "kind": kind}
        with self._errors(kind, ""):
            found = [
                {**title, **one} for one in self._client().list(_resource(kind), labels=dict(labels or {}))
            ]
        return sorted(found, key=lambda one: one["metadata"]["name"])

    def update(self, document: Document, *, status: bool = False) -> Document:
        """See `ports.Cluster.update`. Raises Rejected for a document that the API server refuses."""
        resource, name = self._checked(document)
        with self._errors(document["kind"], name):
            return dict(
                self._client().replace((resource.Status if status else resource).from_dict(document), name)
            )

    def delete(self, kind: str, name: str, *, version: str = "") -> None:
        """See `ports.Cluster.delete`. The objects that it owns go with it; by default a Job's Pods would
        stay."""
        options = {
            "propagationPolicy": CascadeType.BACKGROUND.value,
            **({"preconditions": {"resourceVersion": version}} if version else {}),
        }
        core = self._client()._client  # lightkube's own delete sends no preconditions
        request = core.prepare_request("delete", _resource(kind), name=name)
        request.data = options
        with self._errors(kind, name):
            core.handle_response("delete", core.send(core.build_adapter_request(request)), request)

    def log(self, pod: str, *, follow: bool = False) -> Iterator[str]:
        """The lines of a Pod's log, their ends included; with `follow` until the Pod has ended.

        Raises NotFound when the Pod is gone, Rejected while it has no log, ClusterUnavailable when the
        connection breaks.
        """
        with self._errors("Pod", pod):
            yield from self._client().log(pod, follow=follow)

    def _checked(self, document: Document) -> tuple[_Resource, str]:
        if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
            raise Rejected(
                "not an object that a cluster takes: a document needs apiVersion, kind and metadata"
            )
        kind, metadata = document.get("kind"), document["metadata"]
        resource = _resource(str(kind))
        if document.get("apiVersion") != _KINDS[str(kind)][0]:
            raise Rejected(
                f"apiVersion of a {kind} is {_KINDS[str(kind)][0]}, not {document.get('apiVersion')!r}"
            )
        if metadata.get("namespace", self.namespace) != self.namespace:
            raise Rejected(f"metadata.namespace is {metadata['namespace']!r}, and this is {self.namespace!r}")
        return resource, str(metadata.get("name") or "")

    @contextmanager
    def _errors(self, kind: str, name: str) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            raise self._refusal(kind, name, error) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ClusterUnavailable(
                f"the API server did not answer: {why_no_answer(error)}",
                fix="check that the cluster is up: kubectl cluster-info",
            ) from error

    def _refusal(self, kind: str, name: str, error: ApiError) -> KnollError:
        code, reason, text = error.status.code, error.status.reason, error.status.message or str(error)
        title = f"{kind} {name}".strip()
        if _DENIED.match(text):
            fix = "change what the policy objects to, or ask the cluster's admin; knoll tries again"
            return Forbidden(f"the cluster does not admit {title}: {text}", fix=fix)
        if code == 404:
            has_kind = bool(name and error.status.details and error.status.details.name)
            return NotFound(f"there is no {title}") if has_kind else _missing(kind, text)
        if code == 409 and reason == "AlreadyExists":
            return AlreadyExists(f"{title} exists already", fix="read it back")
        if code == 409:
            return Conflict(f"{title} has changed: {text}", fix="read it again and decide again")
        if code in (400, 405, 413, 415, 422):
            return Rejected(f"the cluster refuses {title}: {text}")
        kind_of_error = Forbidden if code == 403 else ClusterUnavailable
        fix = f"check what you may do: kubectl auth can-i --list -n {self.namespace}"
        return kind_of_error(f"the API server answered {code} for {title}: {text}", fix=fix)

    def _client(self) -> Client:
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built

    def _build(self) -> Client:
        try:
            config = KubeConfig.from_file(self._kubeconfig) if self._kubeconfig else KubeConfig.from_env()
            single = config.get(self._context or None)
            return Client(
                single, namespace=self._namespace or None, timeout=httpx2.Timeout(_TIMEOUT), trust_env=False
            )
        except (ConfigError, YAMLError, *_NO_CONFIG) as error:
            fix = "set KUBECONFIG to the file of your cluster, or run knoll up, which needs no cluster"
            why = _config_fault(error)
            raise ClusterUnavailable(f"nothing says where the cluster is: {why}", fix=fix) from error


def _missing(kind: str, text: str) -> ClusterUnavailable:
    fix = f"install the part that defines {kind}; for knoll's own kinds: make deploy"
    return ClusterUnavailable(f"the cluster has no {kind}: {text}", fix=fix)


def _resource(kind: str) -> _Resource:
    if kind not in _KINDS:
        raise Rejected(f"knoll knows the kinds {', '.join(_KINDS)}, not {kind!r}")
    return _RESOURCES[kind]


def _config_fault(error: Exception) -> str:
    """What is wrong with a kubeconfig, or with the files of a ServiceAccount."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, YAMLError):
        return "the kubeconfig is not YAML"
    if missing := _NO_FILE.fullmatch(str(error)):
        return f"there is no file {escaped(missing[1])}"
    told = next((words for start, words in _CONFIG.items() if str(error).startswith(start)), "")
    return told or "the kubeconfig lacks its clusters, contexts or users, or their keys cannot be read"

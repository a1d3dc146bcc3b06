"""What an installation on a cluster says about itself: its namespace, its broker, its settings and the keys
of its store.

Adapters and their libraries are imported when a cluster is asked for, because a laptop never does.
"""

import base64
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from knoll.errors import Forbidden, NotFound, Unavailable
from knoll.settings import Settings

if TYPE_CHECKING:
    from knoll.adapters.cluster_kubernetes import KubernetesCluster

__all__ = ["kubernetes_cluster", "settings_of_function", "settings_of_installation"]

_CONFIG_MAP, _SECRET = "knoll", "knoll-s3"
_OF_THE_STORE = {
    "AWS_ENDPOINT_URL": "s3_endpoint",
    "AWS_ACCESS_KEY_ID": "s3_access_key",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_key",
    "AWS_REGION": "s3_region",
}


def kubernetes_cluster(settings: Settings) -> "KubernetesCluster":
    """The API server of these settings; one client for each."""
    named = settings.namespace if "namespace" in settings.model_fields_set else ""
    return _cluster(named, settings.kubeconfig, settings.kube_context)


def settings_of_function(settings: Settings) -> Settings:
    """The settings, with the namespace of the Pod and, where no sink is set, the address of the namespace's
    Broker.

    Raises Unavailable while the Broker has no address.
    """
    cluster = kubernetes_cluster(settings)
    return settings.model_copy(
        update={"namespace": cluster.namespace, "sink": settings.sink or _address(cluster, settings.broker)}
    )


def settings_of_installation(settings: Settings) -> Settings:
    """The settings of a person, with what the namespace says where the environment says nothing.

    Keys of the store come from the environment, else from the Secret, for those who may read it.
    """
    cluster = kubernetes_cluster(settings)
    given = settings.model_fields_set
    found: dict[str, object] = {"namespace": cluster.namespace}
    if "model_bucket" not in given and (bucket := _config(cluster).get("KNOLL_MODEL_BUCKET")):
        found["model_bucket"] = bucket
    if not settings.s3_access_key:
        found |= {field: value for field, value in _keys(cluster).items() if field not in given}
    return settings.model_copy(update=found)


@cache
def _cluster(namespace: str, kubeconfig: str, context: str) -> "KubernetesCluster":
    from knoll.adapters.cluster_kubernetes import KubernetesCluster

    return KubernetesCluster(namespace, kubeconfig=kubeconfig, context=context)


def _address(cluster: "KubernetesCluster", broker: str) -> str:
    status = cluster.get("Broker", broker).get("status") or {}
    url = (status.get("address") or {}).get("url")
    if not url:
        raise Unavailable(
            f"the Broker {broker} in {cluster.namespace} has no address yet",
            fix=f"kubectl describe broker {broker}",
        )
    return str(url)


def _config(cluster: "KubernetesCluster") -> Mapping[str, str]:
    try:
        return dict(cluster.get("ConfigMap", _CONFIG_MAP).get("data") or {})
    except (Forbidden, NotFound):
        return {}


def _keys(cluster: "KubernetesCluster") -> Mapping[str, str]:
    try:
        data = cluster.get("Secret", _SECRET).get("data") or {}
    except (Forbidden, NotFound):
        return {}
    return {
        field: base64.b64decode(data[name]).decode()
        for name, field in _OF_THE_STORE.items()
        if data.get(name)
    }

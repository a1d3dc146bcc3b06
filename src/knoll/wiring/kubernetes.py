"""What an installation on a cluster says about itself: its namespace, its broker, its settings and the keys
of its store.

The adapter and its libraries are imported only when a cluster is used, because a laptop never uses one.
"""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from knoll.errors import Forbidden, NotFound, Unavailable
from knoll.installation import CONFIG_MAP, STORE_SECRET, STORE_VARIABLES
from knoll.settings import Settings

if TYPE_CHECKING:
    from knoll.adapters.cluster_kubernetes import KubernetesCluster

__all__ = ["kubernetes_cluster", "settings_of_function", "settings_of_installation"]


def kubernetes_cluster(settings: Settings) -> "KubernetesCluster":
    """A client of the API server of these settings."""
    from knoll.adapters.cluster_kubernetes import KubernetesCluster

    named = settings.namespace if "namespace" in settings.model_fields_set else ""
    return KubernetesCluster(named, kubeconfig=settings.kubeconfig, context=settings.kube_context)


def settings_of_function(settings: Settings, cluster: "KubernetesCluster") -> Settings:
    """The settings, with the namespace of the Pod. If no sink is set, it is the address of the namespace's
    Broker.

    Raises Unavailable while the Broker has no address.
    """
    return settings.model_copy(
        update={"namespace": cluster.namespace, "sink": settings.sink or _address(cluster, settings.broker)}
    )


def settings_of_installation(settings: Settings, cluster: "KubernetesCluster") -> Settings:
    """The settings of a person. What the environment does not set comes from the namespace.

    Keys of the store come from the environment, or else from the Secret, if the person may read it.
    """
    given = settings.model_fields_set
    found: dict[str, object] = {"namespace": cluster.namespace}
    wanted = [field for field in ("model_bucket", "verify_key", "stamp_verify_key") if field not in given]
    config = _config(cluster) if wanted else {}
    found |= {field: value for field in wanted if (value := config.get(f"KNOLL_{field.upper()}"))}
    if not settings.s3_access_key:
        found |= {field: value for field, value in _keys(cluster).items() if field not in given}
    return settings.model_copy(update=found)


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
        return dict(cluster.get("ConfigMap", CONFIG_MAP).get("data") or {})
    except (Forbidden, NotFound):
        return {}


def _keys(cluster: "KubernetesCluster") -> Mapping[str, str]:
    try:
        data = cluster.get("Secret", STORE_SECRET).get("data") or {}
    except (Forbidden, NotFound):
        return {}
    return {
        field: base64.b64decode(data[name]).decode()
        for name, field in STORE_VARIABLES.items()
        if data.get(name)
    }

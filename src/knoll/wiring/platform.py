"""The platform of each process: which adapter each port gets.

Clients of S3 and HTTP take half a second of CPU to import and make, and documents need the schema of a Model.
So an adapter is made when it is first used: a command that only reads Models needs no S3, and a predictor no
Models.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from knoll.adapters.clock import SystemClock
from knoll.adapters.store_arbitrated import ArbitratedStore, probe_once
from knoll.laptop.disk import space_at, why_full
from knoll.ports import Cluster, Events, Hooks, Monitoring, ObjectStore, Platform, Predictors
from knoll.settings import Settings
from knoll.sqlite_file import DATABASE
from knoll.wiring.kubernetes import kubernetes_cluster, settings_of_function, settings_of_installation
from knoll.wiring.running import settings_of_running

if TYPE_CHECKING:
    from knoll.adapters.cluster_local import LocalCluster
    from knoll.adapters.store_s3 import S3Store
    from knoll.laptop.broker.event_log import EventLog

__all__ = [
    "build_platform",
    "documents",
    "event_log",
    "function_platform",
    "object_store",
    "probing_platform",
    "process_platform",
    "user_platform",
]


def function_platform(settings: Settings, store: ObjectStore | None = None) -> Platform:
    """The platform of a function: what its environment says, and on a cluster what its namespace says. If a
    `store` of these settings is there already, it is used.

    Raises Unavailable while the namespace's Broker has no address.
    """
    if settings.cluster == "local":
        return build_platform(settings, _events(settings.sink, settings.token), store=store)
    cluster = kubernetes_cluster(settings)
    found = settings_of_function(settings, cluster)
    return build_platform(found, _events(found.sink), cluster, store)


def probing_platform(settings: Settings) -> Platform:
    """The same for a function that first finds out whether the store's conditional writes are atomic. Raises
    Unavailable."""
    store = object_store(settings)
    probe_once(store, settings.model_root, SystemClock().now())
    return function_platform(settings, store)


def process_platform(settings: Settings) -> Platform:
    """The platform of a process whose environment says all that it needs, such as a trainer."""
    return build_platform(settings, _events(settings.sink, settings.token))


def user_platform(settings: Settings) -> Platform:
    """The platform of a person at the command line: the installation in a namespace of a cluster, or what
    `knoll up` runs in this home.

    Raises Unavailable when there is none.
    """
    if settings.cluster == "local":
        return process_platform(settings_of_running(settings))
    cluster = kubernetes_cluster(settings)
    found = settings_of_installation(settings, cluster)
    return build_platform(found, _events(found.sink), cluster)


def build_platform(
    settings: Settings, events: Events, cluster: Cluster | None = None, store: ObjectStore | None = None
) -> Platform:
    """The adapters for these settings, which publish to `events`. Without `cluster` or `store`, it makes a
    client."""
    return Platform(
        store=ArbitratedStore(store or _late(lambda: object_store(settings)), settings.model_root),
        cluster=cluster or _cluster(settings),
        events=events,
        predictors=_predictors(settings.gateway_url),
        clock=SystemClock(),
        settings=settings,
        monitoring=_monitoring(settings.prometheus),
        hooks=_hooks(),
    )


def _cluster(settings: Settings) -> Cluster:
    is_local = settings.cluster == "local"
    cluster: Cluster = _late(lambda: documents(settings)) if is_local else kubernetes_cluster(settings)
    return cluster


class _Late:
    """An adapter that is made when one of its methods is first asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _adapter(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


def _late(make: Callable[[], Any]) -> Any:
    """Any, because a type checker cannot know that it has the methods of what it makes."""
    return _Late(make)


def _events(sink: str, token: str = "") -> Events:
    def make() -> Events:
        from knoll.adapters.events_http import HttpEvents

        return HttpEvents(sink, token)

    events: Events = _late(make)
    return events


def _predictors(gateway: str) -> Predictors:
    def make() -> Predictors:
        from knoll.adapters.predictors_http import HttpPredictors

        return HttpPredictors(gateway)

    predictors: Predictors = _late(make)
    return predictors


def _monitoring(url: str) -> Monitoring | None:
    def make() -> Monitoring:
        from knoll.adapters.monitoring_prometheus import PrometheusMonitoring

        return PrometheusMonitoring(url)

    return _late(make) if url else None


def _hooks() -> Hooks:
    def make() -> Hooks:
        from knoll.adapters.hooks_http import HttpHooks

        return HttpHooks()

    hooks: Hooks = _late(make)
    return hooks


def object_store(settings: Settings, *, tries_once: bool = False) -> "S3Store":
    """The S3 server of these settings. If it `tries_once`, a call fails within seconds if nothing answers."""
    from knoll.adapters.store_s3 import S3Store

    where = (settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_region)
    is_own = bool(settings.own_s3) and settings.own_s3 == settings.s3_endpoint
    full = (lambda: why_full(space_at(settings.home))) if is_own else str
    return S3Store(*where, tries_once=tries_once, is_own=is_own, why_full=full)


def documents(settings: Settings) -> "LocalCluster":
    """The document store of the laptop."""
    from knoll.adapters.cluster_local import LocalCluster

    return LocalCluster(settings.home / DATABASE, settings.namespace, SystemClock())


def event_log(settings: Settings) -> "EventLog":
    """What the laptop's broker has taken."""
    from knoll.laptop.broker.event_log import EventLog

    return EventLog(settings.home / DATABASE)

"""The S3 server of `knoll up`: its life, its settings, and the keeper that restarts it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

from knoll.laptop.disk import space_at
from knoll.laptop.keeper import Keeper
from knoll.laptop.seaweed import SeaweedFS, find_or_make_keys
from knoll.paths import FUNCTIONS
from knoll.ports import Bucket
from knoll.records.probe import try_write
from knoll.settings import Settings
from knoll.wiring.platform import object_store

__all__ = ["is_users_own", "keeper_of", "own_store", "with_store"]

_FOLDERS = 16


def is_users_own(settings: Settings) -> bool:
    """Whether the user has an S3 server, so that the platform needs none."""
    return bool(settings.s3_endpoint) and settings.s3_endpoint != settings.own_s3


@contextmanager
def own_store(settings: Settings) -> Iterator[SeaweedFS | None]:
    """SeaweedFS while the platform runs; None if the user has a server."""
    if is_users_own(settings):
        yield None
        return
    home = settings.home
    keys = find_or_make_keys(home / "keys.json")
    server = SeaweedFS(
        home / "s3",
        keys,
        home / "logs" / "weed.log",
        notify=f"{settings.url}{FUNCTIONS}ingest",
        token=settings.token,
    )
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


def with_store(settings: Settings, store: SeaweedFS | None) -> Settings:
    """The settings with the address and keys of the platform's own server."""
    if store is None:
        return settings.model_copy(update={"own_s3": ""})
    keys = {"s3_access_key": store.keys.access, "s3_secret_key": store.keys.secret}
    return settings.model_copy(update={"s3_endpoint": store.endpoint, "own_s3": store.endpoint, **keys})


def keeper_of(settings: Settings, server: SeaweedFS | None) -> Keeper | None:
    """Who looks after the platform's own server; None if the user has one."""
    if server is None:
        return None
    store = object_store(settings, tries_once=True)
    # each in another folder: parts of the server keep folders, and only one of them may be broken
    folders = cycle(f"health-{os.getpid()}-{number}" for number in range(_FOLDERS))
    bucket = Bucket(store, settings.model_root)

    def write() -> None:
        try_write(bucket, next(folders))
        server.check_volumes()  # the datasets lie in buckets of their own, which are the user's

    return Keeper(server, lambda: space_at(settings.home), write)

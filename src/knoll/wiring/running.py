"""What `knoll up` runs in a home folder, so that other commands find it.

A lock shows whether it runs: the system releases it when the process ends, also after a kill. platform.json
says what runs. It has keys in it, and only its owner can read it. Another release may have written it, so
unknown fields are passed over, and missing ones have their defaults.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from knoll.errors import NotFound
from knoll.installation import STORE_VARIABLES
from knoll.laptop.locks import lock
from knoll.laptop.private import write_private
from knoll.paths import BROKER
from knoll.settings import Settings

__all__ = ["Running", "hold_home", "keep", "running", "settings_of_running", "store_variables"]

_FILE = "platform.json"
_LOCK = "lock"
_PATIENCE = 0.5  # seconds; a command that asks what runs holds the lock for a moment


@dataclass(frozen=True)
class Running:
    """A running platform. `url` takes predict requests, `s3_endpoint` objects. `own_s3` equals `s3_endpoint`
    if the S3 server is part of the platform, else it is "". `token` is what broker and functions ask for, and
    `verify_key` and `stamp_verify_key` have the public keys of versions and of records."""

    pid: int
    port: int
    url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_region: str
    model_bucket: str = Settings.model_fields["model_bucket"].default
    own_s3: str = ""
    token: str = ""
    verify_key: str = ""
    stamp_verify_key: str = ""


_READ = TypeAdapter(Running)


@contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Hold the home's lock. Raises Unavailable if another process holds it, or if the home cannot be used."""
    with lock(home / _LOCK, _PATIENCE):
        (home / _FILE).unlink(missing_ok=True)  # a killed process may have left it
        try:
            yield
        finally:
            (home / _FILE).unlink(missing_ok=True)


def keep(home: Path, platform: Running) -> None:
    """Write what runs to the home; the file is replaced as a whole."""
    write_private(home / _FILE, json.dumps(asdict(platform), indent=1))


def running(settings: Settings) -> Running | None:
    """What runs in this home. None if nothing does, or if it is not ready yet; a file that a killed process
    left does not count."""
    try:
        found = _READ.validate_json((settings.home / _FILE).read_bytes())
        with (settings.home / _LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found
    except (OSError, ValueError):
        pass
    return None


def settings_of_running(settings: Settings) -> Settings:
    """The settings, with the addresses and keys of the running platform. Raises NotFound if nothing runs."""
    found = running(settings)
    if found is None:
        raise NotFound(f"no platform runs in {settings.home}", fix="knoll up, in another terminal")
    return settings.model_copy(
        update={
            "s3_endpoint": found.s3_endpoint,
            "s3_access_key": found.s3_access_key,
            "s3_secret_key": found.s3_secret_key,
            "s3_region": found.s3_region,
            "model_bucket": found.model_bucket,
            "own_s3": found.own_s3,
            "token": found.token,
            "verify_key": found.verify_key,
            "stamp_verify_key": found.stamp_verify_key,
            "url": found.url,
            "port": found.port,
            "sink": found.url + BROKER,
        }
    )


def store_variables(settings: Settings) -> dict[str, str]:
    """The variables with which an S3 client reaches the store of these settings."""
    return {name: str(getattr(settings, field)) for name, field in STORE_VARIABLES.items()}

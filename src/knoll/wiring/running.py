"""What `knoll up` runs in a home folder, so that other commands find it: keys.json and platform.json, written for their owner only."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from knoll.errors import NotFound
from knoll.settings import Settings

__all__ = ["Running", "forget", "keep", "running", "settings_of_running"]

_FILE = "platform.json"


@dataclass(frozen=True)
class Running:
    """A running platform. `url` takes predict requests, `s3_endpoint` objects."""

    pid: int
    port: int
    url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_region: str


def keep(home: Path, platform: Running) -> None:
    """Write down what runs; the file is replaced as a whole."""
    draft = home / f"{_FILE}.draft"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(platform), indent=1))
    draft.replace(home / _FILE)


def forget(home: Path) -> None:
    """Nothing runs any more."""
    (home / _FILE).unlink(missing_ok=True)


def running(settings: Settings) -> Running | None:
    """What runs in this home; None when nothing does, also when the file was left behind by a kill."""
    try:
        found = Running(**json.loads((settings.home / _FILE).read_text()))
        os.kill(found.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return found


def settings_of_running(settings: Settings) -> Settings:
    """The settings, with the addresses and keys of the running platform where none are set. Raises NotFound when nothing runs."""
    found = running(settings)
    if found is None:
        raise NotFound(f"no platform runs in {settings.home}", fix="knoll up, in another terminal (or knoll --home DIR for another home)")
    return settings.model_copy(
        update={
            "s3_endpoint": found.s3_endpoint,
            "s3_access_key": found.s3_access_key,
            "s3_secret_key": found.s3_secret_key,
            "s3_region": found.s3_region,
            "url": settings.url or found.url,
            "port": found.port,
            "sink": f"{found.url}/broker",
        }
    )

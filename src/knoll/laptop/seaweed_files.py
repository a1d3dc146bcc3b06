"""The files that configure SeaweedFS: who may use S3, where changes are reported, and which keys its parts
want."""

import json
import secrets
from pathlib import Path

from knoll.laptop.certificates import CERTIFICATE, KEY, make_certificate
from knoll.laptop.private import write_private

__all__ = ["IDENTITIES", "write_files"]

IDENTITIES = "s3.json"
# the default, seven volumes for each new bucket, soon fills a small disk
_ONE_VOLUME_AT_A_TIME = "[master.volume_growth]\ncopy_1 = 1\n"
_SIGNED = ("signing", "signing.read", "filer_signing", "filer_signing.read")
_GRPC = ("master", "volume", "filer", "s3", "admin", "worker", "msg_broker", "msg_agent", "mq", "client")
_HTTPS = ("master", "volume", "filer", "admin")


def write_files(folder: Path, access: str, secret: str, notify: str, token: str) -> None:
    """Write all files to the folder; only their owner can read them. The server posts every change of a
    bucket to the URL `notify`, with that token."""
    write_private(folder / IDENTITIES, json.dumps(_identities(access, secret), indent=1))
    write_private(folder / "notification.toml", _notification(notify, token))
    write_private(folder / "master.toml", _ONE_VOLUME_AT_A_TIME)
    make_certificate(folder)
    write_private(folder / "security.toml", _security())


def _identities(access: str, secret: str) -> dict[str, object]:
    credentials = [{"accessKey": access, "secretKey": secret}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "knoll", "credentials": credentials, "actions": actions}]}


def _notification(url: str, token: str) -> str:
    settings = {
        "enabled": bool(url),
        "endpoint": url,
        "bearer_token": token,
        "event_types": ["create", "update", "rename"],
        "path_prefixes": ["/buckets/"],
    }
    return _section("notification.webhook", settings)


def _security() -> str:
    """New keys for each start. Without them the parts of the server would answer without the S3 keys, also to
    any web page: the master deletes whole buckets.

    Files are read and written with signed tokens. All else, over HTTP and gRPC, needs the certificate.
    """
    pair: dict[str, object] = {"cert": CERTIFICATE, "key": KEY}
    with_ca = pair | {"ca": CERTIFICATE}
    sections = [
        *(_section(f"jwt.{part}", {"key": secrets.token_hex(32)}) for part in _SIGNED),
        _section("grpc", {"ca": CERTIFICATE}),
        *(_section(f"grpc.{part}", pair) for part in _GRPC),
        *(_section(f"https.{part}", with_ca) for part in _HTTPS),
        _section("https.client", with_ca | {"enabled": True}),
    ]
    return "".join(sections)


def _section(name: str, settings: dict[str, object]) -> str:
    """A section of a TOML file; JSON writes these values as TOML does."""
    return "\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items()), ""])

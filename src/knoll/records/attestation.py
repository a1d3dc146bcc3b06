"""The attestation of a version, attestation.json: who has signed its manifest.

It is a DSSE envelope around an in-toto statement, which names model, version and the sha256 of manifest.json.
Because it signs the manifest, the manifest does not name it.

https://github.com/secure-systems-lab/dsse, https://github.com/in-toto/attestation
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import with_config

from knoll.errors import InvalidVersion, NewerSchema, NotFound, Rejected
from knoll.names import join
from knoll.ports import Bucket
from knoll.records.manifest import ATTESTATION, MANIFEST, version_uri
from knoll.records.record import LENIENT, Record, read_some, reader

if TYPE_CHECKING:
    from knoll.keys import Signer, VerifyKey

__all__ = [
    "Attestation",
    "EnvelopeSignature",
    "Signed",
    "attest",
    "check_signed",
    "key_of",
    "load_attestation",
    "look_at_attestation",
    "signed_of",
]

_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://knoll.dev/version/v1"
_UNSIGNED = f"it is not signed: it has no {ATTESTATION}"


@with_config(LENIENT)
@dataclass(frozen=True)
class EnvelopeSignature:
    """One key signature of the envelope, in base64, and the id of its key."""

    keyid: str
    sig: str


@with_config(LENIENT)
@dataclass(frozen=True)
class Attestation(Record):
    """The envelope. Its fields have DSSE's names; `payload` is the statement in base64."""

    payload: str
    payloadType: str
    signatures: tuple[EnvelopeSignature, ...]


load_attestation = reader(Attestation, "attestation", file=ATTESTATION, fault=InvalidVersion)


@dataclass(frozen=True)
class Signed:
    """What the look at an attestation finds: the id of the key ("" if none of ours has signed), and what is
    wrong."""

    by: str = ""
    fault: str = ""


def attest(model: str, version: str, manifest_sha256: str, signer: "Signer") -> Attestation:
    """Sign the manifest of a version. The same key gives the same bytes again."""
    statement = {
        "_type": _STATEMENT,
        "subject": _subject(model, version, manifest_sha256),
        "predicateType": _PREDICATE,
        "predicate": {"model": model, "version": version},
    }
    payload = json.dumps(statement, sort_keys=True).encode()
    signature = signer.sign(_authenticated(_PAYLOAD, payload))
    return Attestation(
        payload=b64encode(payload).decode(),
        payloadType=_PAYLOAD,
        signatures=(EnvelopeSignature(signer.public.id, b64encode(signature).decode()),),
    )


def signed_of(model: str, version: str, manifest_sha256: str, body: bytes | None, keys: str) -> Signed:
    """Look at the attestation of a version: `body` has its bytes, or is None if there is none. `keys` are the
    public keys that count; without them, nothing is looked at."""
    if not keys:
        return Signed()
    if body is None:
        return Signed(fault=_UNSIGNED)
    try:
        found = load_attestation(body)
        payload = b64decode(found.payload, validate=True)
        signer = _signer(found, _authenticated(found.payloadType, payload), _read_keys(keys))
        return Signed(signer, _fault_of_statement(payload, _subject(model, version, manifest_sha256)))
    except (Rejected, NewerSchema) as error:
        return Signed(fault=str(error))
    except ValueError as error:
        return Signed(fault=f"{ATTESTATION} cannot be read: {error}")


def look_at_attestation(model: str, version: str, manifest_sha256: str, keys: str, bucket: Bucket) -> Signed:
    """The same for the attestation in the bucket. Raises StoreUnavailable."""
    body = None
    with suppress(NotFound):
        if keys:
            body = read_some(join(version_uri(bucket.root, model, version), ATTESTATION), bucket)
    return signed_of(model, version, manifest_sha256, body, keys)


def check_signed(model: str, version: str, manifest_sha256: str, body: bytes | None, keys: str) -> None:
    """Raise InvalidVersion unless one of the keys has signed the version."""
    if fault := signed_of(model, version, manifest_sha256, body, keys).fault:
        raise InvalidVersion(
            f"{model} {version} may not be served: {fault}",
            fix="train it again, or add the key that signed it: docs/operate.md, under Keys",
        )


def key_of(keys: str, signer: str) -> str:
    """The one of these public keys that has the id `signer`; "" if none has."""
    found = _read_keys(keys).get(signer) if keys and signer else None
    return found.pem if found else ""


def _read_keys(keys: str) -> Mapping[str, "VerifyKey"]:
    from knoll.keys import read_verify_keys  # only where a key is set: its library takes a while to load

    return read_verify_keys(keys)


def _subject(model: str, version: str, manifest_sha256: str) -> list[dict[str, Any]]:
    return [{"name": f"{model}/{version}/{MANIFEST}", "digest": {"sha256": manifest_sha256}}]


def _authenticated(kind: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _signer(found: Attestation, body: bytes, keys: Mapping[str, "VerifyKey"]) -> str:
    """The id of the key that has signed. Raises InvalidVersion if none of ours has."""
    ours = [one for one in found.signatures if one.keyid in keys]
    if not ours:
        named = ", ".join(f"{one.keyid[:12]}…" for one in found.signatures[:3]) or "no key"
        raise InvalidVersion(f"it is signed by {named}, and KNOLL_VERIFY_KEY has no such key")
    for one in ours:
        if keys[one.keyid].has_signed(body, b64decode(one.sig, validate=True)):
            return one.keyid
    raise InvalidVersion(f"its attestation by key {ours[0].keyid[:12]}… is wrong: {ATTESTATION} was changed")


def _fault_of_statement(payload: bytes, subject: list[dict[str, Any]]) -> str:
    """What is wrong with what one of our keys has signed: it may be about something else."""
    said = json.loads(payload)
    if not isinstance(said, dict) or (said.get("_type"), said.get("predicateType")) != (
        _STATEMENT,
        _PREDICATE,
    ):
        return f"{ATTESTATION} says nothing about a version"
    if said.get("subject") == subject:
        return ""
    if f"'{subject[0]['name']}'" in str(said.get("subject")):
        return f"{MANIFEST} is not the one that was signed"
    return "its attestation is for another version"

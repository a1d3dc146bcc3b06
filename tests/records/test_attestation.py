"""A signature counts for one version, and only if one of our keys has made it."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knoll.errors import Unavailable
from knoll.keys import make_key, read_signer, read_verify_keys
from knoll.records.attestation import attest, key_of, signed_of
from support.keys import private_key, signer_of

GOLDEN = Path(__file__).parent / "golden" / "knoll-0.3" / "bucket" / "models" / "digits" / "v000001"
SHA256 = hashlib.sha256(b"manifest").hexdigest()
OURS, NEXT, FOREIGN = signer_of(0), signer_of(1), signer_of(2)
KEYS = OURS.public.pem
STATEMENT = "https://in-toto.io/Statement/v1"


def envelope(**changes: Any) -> bytes:
    """What our key signs for v000001, with other fields."""
    made = attest("digits", "v000001", SHA256, OURS)
    return json.dumps({**made.fields(), **changes}).encode()


def b64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def test_the_same_key_signs_the_same_manifest_with_the_same_bytes_in_every_release() -> None:
    """So a trainer that starts again writes what is there already."""
    sha256 = hashlib.sha256((GOLDEN / "manifest.json").read_bytes()).hexdigest()
    assert attest("digits", "v000001", sha256, OURS).encode() == (GOLDEN / "attestation.json").read_bytes()


def test_a_signature_is_known_by_the_key_that_made_it_also_beside_other_keys() -> None:
    assert signed_of("digits", "v000001", SHA256, envelope(), KEYS).by == OURS.public.id
    both = f"a note of the operator\n{NEXT.public.pem}\n{KEYS}"
    for signer in (OURS, NEXT):
        body = attest("digits", "v000001", SHA256, signer).encode()
        found = signed_of("digits", "v000001", SHA256, body, both)
        assert (found.by, found.fault) == (signer.public.id, "")
        assert key_of(both, signer.public.id) == signer.public.pem
    assert key_of(both, FOREIGN.public.id) == key_of(both, "") == key_of("", OURS.public.id) == ""


@pytest.mark.parametrize(
    ("place", "body", "words"),
    [
        (("digits", "v000001"), None, "it is not signed"),
        (("digits", "v000002"), envelope(), "for another version"),
        (("leaves", "v000001"), envelope(), "for another version"),
        (("digits", "v000001"), envelope(payload=b64(b"{}")), "is wrong: attestation.json was changed"),
        (("digits", "v000001"), envelope(payloadType="text/plain"), "is wrong: attestation.json was changed"),
        (("digits", "v000001"), attest("digits", "v000001", "0" * 64, OURS).encode(), "not the one that was"),
        (("digits", "v000001"), attest("digits", "v000001", SHA256, FOREIGN).encode(), "has no such key"),
        (("digits", "v000001"), envelope(signatures=[]), "signed by no key"),
        (("digits", "v000001"), envelope(payload="no base64"), "cannot be read"),
        (("digits", "v000001"), envelope(schema=99, needs="9.0"), "schema 99"),
        (("digits", "v000001"), b"\xff\x00", "attestation.json is not an attestation"),
        (("digits", "v000001"), b"[" * 100_000, "attestation.json is not an attestation"),
    ],
)
def test_any_other_signature_is_refused_in_words(
    place: tuple[str, str], body: bytes | None, words: str
) -> None:
    assert words in signed_of(*place, SHA256, body, KEYS).fault


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"_type": "https://example.com/other"}, "says nothing about a version"),
        (["no statement"], "says nothing about a version"),
        ({"_type": STATEMENT, "predicateType": "https://knoll.dev/version/v1"}, "for another version"),
    ],
)
def test_what_our_key_has_signed_for_something_else_counts_for_no_version(said: Any, words: str) -> None:
    payload = json.dumps(said).encode()
    kind = b"application/vnd.in-toto+json"
    signature = OURS.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    body = envelope(payload=b64(payload), signatures=[{"keyid": OURS.public.id, "sig": b64(signature)}])
    assert words in signed_of("digits", "v000001", SHA256, body, KEYS).fault


def test_without_a_key_signatures_are_not_looked_at() -> None:
    assert signed_of("digits", "v000001", SHA256, None, "").fault == ""


@pytest.mark.parametrize("text", ["nothing", private_key(), KEYS.replace("MCow", "MCox")])
def test_a_text_without_a_good_key_accepts_nothing_and_says_so(text: str) -> None:
    """It is a fault of the platform, and no verdict on a version."""
    for read in (read_verify_keys, lambda pems: signed_of("d", "v000001", SHA256, envelope(), pems)):
        refusing: Callable[[str], object] = read
        with pytest.raises(Unavailable, match="KNOLL_VERIFY_KEY"):
            refusing(text)
    with pytest.raises(Unavailable, match="KNOLL_SIGN_KEY"):
        read_signer(KEYS)


def test_a_new_key_is_another_one_each_time() -> None:
    assert read_signer(make_key()).public.id != read_signer(make_key()).public.id

"""Who has the keys of the bucket can delete, spoil or forge the pin of a golden set. That neither stops a
model nor makes another golden set count than the one on which its versions were scored."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.keys import Signer
from knoll.ports import Bucket
from knoll.records.golden import GoldenScore, GoldenSet, find_golden, golden_uri, pin_golden
from knoll.records.manifest import Manifest, manifest_uri, version_uri
from knoll.records.outcome import Outcome, outcome_uri, write_outcome
from knoll.records.pinned import Pinned, look_at_golden
from knoll.records.stamp import is_stamped, stamped
from knoll.records.strays import find_strays
from knoll.trainer.publish import publish
from support.keys import private_key, signer_of

ROOT, EXAM = "s3://knoll-models", "s3://exams/digits/"
AT = "2026-01-01T00:00:00+00:00"
PIN = golden_uri(ROOT, "digits", EXAM)
NEWER = b'{"schema": 99, "needs": "9.9"}'
OURS, NEXT, FOREIGN = range(3)
FORGED = GoldenSet("digits", EXAM, "0" * 64, 1, 1, "x", AT)


def bucket_of(key: int = OURS, *accepted: int, store: MemoryStore | None = None) -> Bucket:
    """The bucket of a trainer that signs with that key, and of functions that believe it and the others."""
    public = "".join(signer_of(one).public.pem for one in (key, *accepted))
    return Bucket(store or MemoryStore(), ROOT, sign_key=private_key(key), verify_key=public)


def golden(digest: str, model: str = "digits", uri: str = EXAM) -> GoldenSet:
    return GoldenSet(model, uri, digest, 9, 9, f"{model}-{'1' * 20}", AT)


def score(number: int, digest: str, bucket: Bucket, signer: Signer | None, uri: str = EXAM) -> str:
    """Publish a version that was scored on the golden set when it had that digest; its name."""
    run = f"digits-{number:020}"

    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        exam = GoldenScore(uri, digest, 9, {"accuracy": 1.0})
        return {}, Manifest("digits", version, "f", run, "d", {}, {}, AT, "0", {}, golden=exam)

    made = publish("digits", run, draft, bucket, signer)
    version = made.manifest.version
    ended = Outcome("succeeded", AT, version, manifest_sha256=made.sha256)
    write_outcome(run, replace(ended, golden_set=uri, golden_digest=digest), bucket)
    return version


def removed(version: str, bucket: Bucket) -> None:
    """What `knoll gc` leaves of a version: its claim and the outcome of its run."""
    for one in list(bucket.store.list(version_uri(ROOT, "digits", version))):
        bucket.store.delete(one.uri)


def _signed(pin: GoldenSet) -> bytes:
    return stamped(pin, bucket_of()).encode()


SPOILT = {
    "garbage": b"garbage",
    "nothing": b"{}",
    "list": b"[1]",
    "newer": NEWER,
    "forged": FORGED.encode(),
    "forged stamp": replace(FORGED, stamp="c2lnbmVk").encode(),
    "of a foreign key": stamped(FORGED, bucket_of(FOREIGN)).encode(),
    "of another model": _signed(golden("9" * 64, "beans")),
    "of another golden set": _signed(golden("9" * 64, uri="s3://exams/easy/")),
    "huge": b" " * (65 * 2**20),
}
each_spoilt = pytest.mark.parametrize("body", SPOILT.values(), ids=SPOILT)


@each_spoilt
def test_a_spoilt_pin_does_not_count_and_the_first_run_writes_over_it(body: bytes) -> None:
    bucket = bucket_of()
    bucket.store.put(PIN, body)
    found = look_at_golden("digits", EXAM, bucket)
    assert (found.digest, bool(found.fault)) == ("", True)
    assert [f"{ROOT}/{one.key}" for one in find_strays(bucket) if not one.fix] == [PIN]
    pin_golden(golden("a"), bucket)
    assert look_at_golden("digits", EXAM, bucket) == Pinned(
        "a", f"run digits-{'1' * 20} pinned 9 files with digest"
    )
    assert list(find_strays(bucket)) == []


@each_spoilt
def test_what_the_oldest_version_was_scored_on_counts_if_the_pin_is_spoilt(body: bytes) -> None:
    """Also if a later version was scored on another one, when nobody looked."""
    bucket = bucket_of()
    score(1, "a", bucket, signer_of())
    score(2, "b", bucket, signer_of())
    bucket.store.put(PIN, body)
    found = look_at_golden("digits", EXAM, bucket)
    assert (found.digest, found.says) == ("a", "v000001 was scored on files with digest")
    assert found.fault


def test_a_pin_that_was_deleted_counts_as_the_versions_say() -> None:
    bucket = bucket_of()
    score(1, "other", bucket, signer_of(), uri="s3://exams/easy/")
    score(2, "a", bucket, signer_of())
    assert look_at_golden("digits", EXAM, bucket) == Pinned("a", "v000002 was scored on files with digest")
    assert look_at_golden("digits", "s3://exams/new/", bucket) == Pinned()


def test_the_outcome_of_a_version_that_is_removed_says_it_still() -> None:
    bucket = bucket_of()
    removed(score(1, "a", bucket, signer_of()), bucket)
    score(2, "b", bucket, signer_of())
    assert look_at_golden("digits", EXAM, bucket).digest == "a"


@pytest.mark.parametrize("gone", ["outcome", "manifest", "claim"])
def test_one_of_manifest_and_outcome_is_enough(gone: str) -> None:
    bucket = bucket_of()
    score(1, "a", bucket, signer_of())
    uris = {
        "outcome": outcome_uri(ROOT, f"digits-{1:020}"),
        "manifest": manifest_uri(ROOT, "digits", "v000001"),
        "claim": f"{ROOT}/claims/digits/v000001",
    }
    bucket.store.delete(uris[gone])
    assert look_at_golden("digits", EXAM, bucket).digest == "a"


def test_a_version_that_nobody_has_signed_says_nothing() -> None:
    """So a forged version does not keep the true golden set out."""
    strangers = Bucket(MemoryStore(), ROOT)
    score(1, "0" * 64, strangers, None)
    score(2, "0" * 64, strangers, signer_of(FOREIGN))
    bucket = bucket_of(store=strangers.store)  # type: ignore[arg-type]
    assert look_at_golden("digits", EXAM, bucket) == Pinned()


def test_a_pin_is_signed_anew_while_a_key_is_replaced() -> None:
    """Otherwise nothing would say how the golden set was, as soon as the old key is dropped."""
    old = bucket_of(OURS)
    pin_golden(golden("a"), old)
    both = bucket_of(NEXT, OURS, store=old.store)  # type: ignore[arg-type]
    pin_golden(golden("a"), both)
    new = bucket_of(NEXT, store=old.store)  # type: ignore[arg-type]
    pin = find_golden("digits", EXAM, new)
    assert pin is not None
    assert (pin.digest, is_stamped(pin, new)) == ("a", True)


def test_without_keys_a_pin_that_can_be_read_counts_and_a_newer_one_does_not() -> None:
    bucket = Bucket(MemoryStore(), ROOT)
    bucket.store.put(PIN, NEWER)
    assert look_at_golden("digits", EXAM, bucket).fault
    pin_golden(golden("a"), bucket)
    pin_golden(golden("b"), bucket)
    assert look_at_golden("digits", EXAM, bucket).digest == "a"

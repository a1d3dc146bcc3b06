"""Versions: numbered without gaps, written once, and never half."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import BinaryIO

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import StoreUnavailable, Unavailable
from knoll.keys import Signer
from knoll.ports import Bucket
from knoll.records.attestation import look_at_attestation
from knoll.records.claim import Claim, claim_uri, write_claim
from knoll.records.manifest import (
    Manifest,
    Sealed,
    entry_of,
    load_manifest,
    manifest_uri,
    verify,
    version_uri,
    write_manifest,
)
from knoll.settings import Settings
from knoll.trainer.publish import Draft, publish
from knoll.trainer.signing import find_signer
from support.keys import private_key, signer_of

ROOT = "s3://models"
OLD_RUN = f"digits-{'0' * 20}"


def draft_of(run: str, weights: bytes = b"weights") -> Draft:
    def draft(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        files = {"model.onnx": weights, "samples/000001.png": b"png", "README.md": f"# {version}".encode()}
        entries = {name: entry_of(body) for name, body in files.items()}
        return files, Manifest(
            "digits", version, "family", run, "digest", {}, {"accuracy": 1.0}, "2026-01-01", "0", entries
        )

    return draft


def versions(store: MemoryStore) -> dict[str, dict[str, bytes]]:
    folder = f"{ROOT}/models/digits/"
    found: dict[str, dict[str, bytes]] = {}
    for info in store.list(folder):
        version, _, name = info.uri.removeprefix(folder).partition("/")
        found.setdefault(version, {})[name] = store.get(info.uri)
    return found


class FailingStore(MemoryStore):
    """Takes so many writes, and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left = 0

    def put(
        self, uri: str, body: bytes | BinaryIO, *, if_absent: bool = False, content_type: str = ""
    ) -> str:
        if not self.writes_left:
            raise StoreUnavailable(uri)
        self.writes_left -= 1
        return super().put(uri, body, if_absent=if_absent, content_type=content_type)


def test_runs_get_numbers_in_a_row_and_keep_theirs() -> None:
    """Each run has one version however often it is published, and the manifest names every file."""
    store = MemoryStore()
    first = publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT))
    second = publish("digits", "run-b", draft_of("run-b"), Bucket(store, ROOT))
    again = publish("digits", "run-a", draft_of("run-a", b"other weights"), Bucket(store, ROOT))
    assert (first.manifest.version, second.manifest.version) == ("v000001", "v000002")
    assert again == first
    for files in versions(store).values():
        manifest = load_manifest(files.pop("manifest.json"))
        verify(manifest, files)


def test_runs_at_the_same_time_never_share_a_number() -> None:
    """The store decides who has a number, so sixteen runs have the numbers from 1 to 16."""
    store = MemoryStore()
    with ThreadPoolExecutor(16) as pool:
        manifests = list(
            pool.map(
                lambda run: publish("digits", run, draft_of(run), Bucket(store, ROOT)),
                [f"run-{index}" for index in range(16)],
            )
        )
    assert sorted(made.manifest.version for made in manifests) == [
        f"v{number:06d}" for number in range(1, 17)
    ]


@pytest.mark.parametrize("writes", range(5))
def test_an_attempt_cut_off_after_any_write_is_completed_by_the_next(writes: int) -> None:
    """Claim, three files, manifest: wherever the first attempt ends, there is no version. The second makes
    number 1."""
    store = FailingStore()
    store.writes_left = writes
    with pytest.raises(StoreUnavailable):
        publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT))
    assert not any("manifest.json" in files for files in versions(store).values())
    store.writes_left = 100
    assert publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT)).manifest.version == "v000001"
    assert list(versions(store)) == ["v000001"]


def test_other_bytes_of_an_earlier_attempt_cost_the_number_not_the_version() -> None:
    """Nothing is overwritten: a second attempt that trained to other weights takes a number of its own,
    whole."""
    store = FailingStore()
    store.writes_left = 3
    with pytest.raises(StoreUnavailable):
        publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT))
    store.writes_left = 100
    made = publish("digits", "run-a", draft_of("run-a", b"other weights"), Bucket(store, ROOT))
    assert made.manifest.version == "v000002"
    files = versions(store)["v000002"]
    assert files.pop("manifest.json")
    verify(made.manifest, files)
    assert store.get(version_uri(ROOT, "digits", "v000001") + "model.onnx") == b"weights"
    assert publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT)) == made


def test_a_zombie_finds_the_version_that_the_other_attempt_has_sealed() -> None:
    """Two attempts of one run that write the same bytes at the same time end with one version, with the
    manifest of the first."""
    store = MemoryStore()

    def overtaken(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        files, manifest = draft_of("run-a")(version)
        if version not in versions(store):
            publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT))
        return files, replace(manifest, created_at="later")

    assert publish("digits", "run-a", overtaken, Bucket(store, ROOT)).manifest.created_at == "2026-01-01"
    assert list(versions(store)) == ["v000001"]


def test_a_run_keeps_the_number_that_knoll_0_1_claimed_for_it() -> None:
    """Such a claim is the run id alone. A claim that cannot be read belongs to another run."""
    store = MemoryStore()
    for before in ("v000001", "v000002"):
        store.put(claim_uri(ROOT, "digits", before), b"digits-ffffffffffffffffffff")
    store.put(claim_uri(ROOT, "digits", "v000003"), OLD_RUN.encode())
    store.put(claim_uri(ROOT, "digits", "v000004"), b"rubbish")
    assert publish("digits", OLD_RUN, draft_of(OLD_RUN), Bucket(store, ROOT)).manifest.version == "v000003"
    assert publish("digits", "run-b", draft_of("run-b"), Bucket(store, ROOT)).manifest.version == "v000005"


@pytest.mark.parametrize("claim", [b"", OLD_RUN.encode(), Claim(OLD_RUN).encode(), Claim("run-a").encode()])
def test_no_stray_claim_makes_the_numbers_jump(claim: bytes) -> None:
    """Numbers are claimed in a row: a claim behind a gap is a stray, even if it names the run itself."""
    store = MemoryStore()
    for name in ("v999999", "v999999999999", "v000000", "v000003/", "v000001x"):
        store.put(claim_uri(ROOT, "digits", name), claim)
    made = [publish("digits", run, draft_of(run), Bucket(store, ROOT)) for run in ("run-a", "run-b")]
    assert [one.manifest.version for one in made] == ["v000001", "v000002"]


def signed_by(made: Sealed, number: int, bucket: Bucket) -> bool:
    keys, one = signer_of(number).public.pem, made.manifest
    return not look_at_attestation(one.model, one.version, made.sha256, keys, bucket).fault


@pytest.mark.parametrize("writes", range(6))
def test_a_signed_version_survives_a_kill_after_any_write(writes: int) -> None:
    """Claim, three files, signature, manifest. The signature is the same each time, as the manifest is."""
    store = FailingStore()
    bucket = Bucket(store, ROOT)
    store.writes_left = writes
    with pytest.raises(StoreUnavailable):
        publish("digits", "run-a", draft_of("run-a"), bucket, signer_of())
    assert not any("manifest.json" in files for files in versions(store).values())
    store.writes_left = 100
    made = publish("digits", "run-a", draft_of("run-a"), bucket, signer_of())
    assert (made.manifest.version, list(versions(store))) == ("v000001", ["v000001"])
    assert signed_by(made, 0, bucket)
    assert not signed_by(made, 1, bucket)
    assert publish("digits", "run-a", draft_of("run-a"), bucket, signer_of()) == made


def test_another_manifest_than_the_signed_one_costs_the_number() -> None:
    """The attempt that was killed between the two signed its own manifest, and never wrote it."""
    store = FailingStore()
    store.writes_left = 5
    with pytest.raises(StoreUnavailable):
        publish("digits", "run-a", draft_of("run-a"), Bucket(store, ROOT), signer_of())
    store.writes_left = 100

    def later(version: str) -> tuple[Mapping[str, bytes], Manifest]:
        files, manifest = draft_of("run-a")(version)
        return files, replace(manifest, created_at="later")

    made = publish("digits", "run-a", later, Bucket(store, ROOT), signer_of())
    assert (made.manifest.version, signed_by(made, 0, Bucket(store, ROOT))) == ("v000002", True)


def test_a_run_does_not_take_a_version_for_its_own_that_its_key_has_not_signed() -> None:
    """A stranger has written the claim of the run and a manifest, before the run ended."""
    bucket = Bucket(MemoryStore(), ROOT)
    write_claim("digits", "v000001", Claim("run-a"), bucket)
    forged = write_manifest(draft_of("run-a", b"forged")("v000001")[1], bucket)
    made = publish("digits", "run-a", draft_of("run-a"), bucket, signer_of())
    assert (made.manifest.version, signed_by(made, 0, bucket)) == ("v000002", True)
    assert not signed_by(forged, 0, bucket)


@pytest.mark.parametrize(
    ("sign", "verify", "words"),
    [
        ("", [0], "has no key to sign with"),
        (private_key(1), [0, 2], "would not accept"),
        ("rubbish", [0], "PEM"),
    ],
)
def test_a_trainer_that_could_not_sign_does_not_begin(sign: str, verify: list[int], words: str) -> None:
    keys = "".join(signer_of(number).public.pem for number in verify)
    with pytest.raises(Unavailable, match=words):
        find_signer(Settings(sign_key=sign, verify_key=keys))


def test_a_trainer_signs_with_its_key_also_while_the_platform_accepts_two() -> None:
    keys = "".join(signer_of(number).public.pem for number in (0, 1))
    signer = find_signer(Settings(sign_key=private_key(1), verify_key=keys))
    assert signer is not None
    assert signer.public.id == signer_of(1).public.id
    assert find_signer(Settings()) is None


@pytest.mark.parametrize("body", [b"garbage", b'{"schema": 99}', b"of another run"])
@pytest.mark.parametrize("signer", [None, signer_of()])
def test_a_manifest_that_lies_there_before_takes_only_its_number(body: bytes, signer: Signer | None) -> None:
    bucket = Bucket(MemoryStore(), ROOT)
    if body == b"of another run":
        body = draft_of("run-b")("v000001")[1].encode()
    bucket.store.put(manifest_uri(ROOT, "digits", "v000001"), body)
    for _ in range(2):
        made = publish("digits", "run-a", draft_of("run-a"), bucket, signer)
        assert (made.manifest.version, made.manifest.run) == ("v000002", "run-a")
    assert bucket.store.get(manifest_uri(ROOT, "digits", "v000001")) == body


def test_a_claim_that_only_a_newer_knoll_could_read_takes_only_its_number() -> None:
    for verify_key in ("", signer_of().public.pem):
        bucket = Bucket(MemoryStore(), ROOT, verify_key=verify_key)
        bucket.store.put(claim_uri(ROOT, "digits", "v000001"), b'{"schema": 99}')
        assert publish("digits", "run-a", draft_of("run-a"), bucket).manifest.version == "v000002"

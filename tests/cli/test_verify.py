"""`knoll verify` reads every byte, and names the link that differs."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cli.declared import Knoll, Records
from knoll.ports import Platform
from knoll.records.attestation import attest
from knoll.records.manifest import FileEntry, Manifest, entry_of, manifest_uri, version_uri, write_file
from knoll.records.outcome import Outcome, write_outcome
from knoll.records.run import read_run
from knoll.views.verification import Link, verify_version
from support.keys import signer_of


@pytest.fixture
def sealed(knoll: Knoll, platform: Platform, records: Records, model_file: Any) -> str:
    """A champion with all that made it; the sha256 of its manifest."""
    knoll("apply", "-f", model_file)
    run = records.run()
    records.claim(run)
    write_file("digits", "v000001", "model.onnx", b"graph", platform.bucket)
    files = {"model.onnx": FileEntry(5, entry_of(b"graph").sha256)}
    digest = read_run(run, platform.bucket).dataset_digest
    at, metrics = "2026-01-01T00:01:00+00:00", {"accuracy": 0.98}
    body = Manifest(
        "digits", "v000001", "image-classifier", run, digest, {}, metrics, at, "a", files
    ).encode()
    platform.store.put(manifest_uri(platform.bucket.root, "digits", "v000001"), body)
    sha256 = entry_of(body).sha256
    write_outcome(
        run, Outcome("succeeded", at, "v000001", metrics=metrics, manifest_sha256=sha256), platform.bucket
    )
    records.status(champion="v000001", manifestSha256={"v000001": sha256})
    arguments = ["--model-uri", "x", "--manifest-sha256", sha256]
    platform.cluster.create(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "digits", "labels": {"knoll.dev/model": "digits"}},
            "spec": {"predictor": {"containers": [{"args": arguments}]}},
        }
    )
    return sha256


def test_a_version_is_intact_from_its_data_to_what_serves(knoll: Knoll, sealed: str) -> None:
    told = knoll("verify", "digits", "-o", "json")
    found = json.loads(told.stdout)
    assert (told.exit_code, found["intact"], found["manifestSha256"]) == (0, True, sealed), told.output
    assert [one["link"] for one in found["links"]] == ["files", "data", "run", "slot", "InferenceService"]


@pytest.mark.parametrize(
    ("name", "code", "what"),
    [("model.onnx", 1, "model.onnx has sha256"), ("a\nb.txt", 0, "does not name them: a\\x0ab.txt")],
)
def test_a_changed_byte_is_a_difference_and_a_stray_file_is_only_named(
    knoll: Knoll, platform: Platform, sealed: str, name: str, code: int, what: str
) -> None:
    platform.store.put(version_uri(platform.bucket.root, "digits", "v000001") + name, b"other")
    told = knoll("verify", "digits", "v000001", "-o", "json")
    files = json.loads(told.stdout)["links"][0]
    assert (told.exit_code, files["link"], files["intact"]) == (code, "files", not code)
    assert what in files["what"]


def test_a_manifest_that_was_rewritten_differs_from_every_pin(
    knoll: Knoll, platform: Platform, sealed: str
) -> None:
    uri = manifest_uri(platform.bucket.root, "digits", "v000001")
    platform.store.put(uri, platform.store.get(uri).replace(b"0.98", b"0.99"))
    told = knoll("verify", "digits", "-o", "json")
    wrong = [one["link"] for one in json.loads(told.stdout)["links"] if not one["intact"]]
    assert (told.exit_code, wrong) == (1, ["run", "slot", "InferenceService"])


def test_a_version_that_is_not_there_is_not_found(knoll: Knoll, sealed: str) -> None:
    assert knoll("verify", "digits", "v000009").exit_code == 4


def attestation(platform: Platform, number: int = 0) -> Link:
    """The link of v000001 on a platform that accepts the key with this number."""
    settings = platform.settings.model_copy(update={"verify_key": signer_of(number).public.pem})
    found = verify_version(replace(platform, settings=settings), "digits", "v000001")
    return next(one for one in found.links if one.name == "attestation")


def test_the_key_that_signed_is_named_and_what_served_before_a_key_is_no_difference(
    platform: Platform, records: Records, sealed: str
) -> None:
    assert attestation(platform).note.startswith("admitted before a key was set: it is not signed")
    records.status(champion="", manifestSha256={})
    assert attestation(platform).fault.startswith("it is not signed")
    body = attest("digits", "v000001", sealed, signer_of()).encode()
    platform.store.put(version_uri(platform.bucket.root, "digits", "v000001") + "attestation.json", body)
    assert attestation(platform) == Link("attestation", note=f"signed by key {signer_of().public.id[:12]}")
    assert "has no such key" in attestation(platform, 1).fault
    pins, signers = {"v000001": sealed}, {"v000001": signer_of().public.id}
    records.status(champion="v000001", manifestSha256=pins, signedBy=signers)
    assert attestation(platform, 1).note.startswith(f"admitted while key {signer_of().public.id[:12]}")

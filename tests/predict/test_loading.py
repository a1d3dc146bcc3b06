"""A version with other bytes than its manifest says is never loaded and never ready."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from knoll.adapters.memory.store import MemoryStore
from knoll.errors import InvalidVersion, KnollError, NotFound, Rejected
from knoll.predict import loading
from knoll.predict.loading import fetch_version
from knoll.predict.predictor import load
from knoll.records.attestation import attest
from knoll.records.manifest import entry_of
from support.keys import signer_of

URI = "s3://models/models/shade/v000001/"

Files = Callable[..., dict[str, bytes]]


def store_of(files: dict[str, bytes], uri: str = URI) -> MemoryStore:
    store = MemoryStore()
    for name, body in files.items():
        store.put(uri + name, body)
    return store


def flipped(body: bytes) -> bytes:
    """The same bytes but for one bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def renamed(files: dict[str, bytes], old: str, new: str) -> dict[str, bytes]:
    """A file and its manifest entry under another name."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"][new] = manifest["files"].pop(old)
    return {**files, new: files[old], "manifest.json": json.dumps(manifest).encode()}


def test_a_whole_version_is_read_and_warm(files_of: Files, classifier: Any) -> None:
    """All files match: the version comes back with its signature, its samples and the digest of its manifest,
    and answers."""
    files = files_of(classifier)
    version, graph = load(partial(fetch_version, store_of(files), URI, "shade"), threads=1)
    assert version.digest == entry_of(files["manifest.json"]).sha256
    assert version.manifest.version == "v000001"
    assert [sample.prediction["label"] for sample in version.samples] == ["light", "dark"]
    assert graph.signature == classifier.signature


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.safetensors", "signature.json", "samples.json", "README.md", "grid.png"]
)
def test_a_flipped_bit_in_any_file_is_found(files_of: Files, classifier: Any, name: str) -> None:
    """Weights, graph, signature, samples, card and pictures: none may differ, and the error names the
    file."""
    files = files_of(classifier)
    files[name] = flipped(files[name])
    with pytest.raises(InvalidVersion, match=f"{name} has sha256"):
        fetch_version(store_of(files), URI, "shade")


SMALL = 512  # bytes of a part


class Parts(MemoryStore):
    """A store that remembers which parts of which objects it has sent. `spoil` changes what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, range]] = []
        self.spoil: Callable[[bytes, range], bytes] = lambda body, _: body

    def get(self, uri: str, *, part: range | None = None, **pinned: Any) -> bytes:
        body = super().get(uri, part=part, **pinned)
        if part is None or len(part) > SMALL:  # whole, or a record
            return body
        self.sent.append((uri.removeprefix(URI), part))
        return self.spoil(body, part)


@pytest.fixture
def parts(files_of: Files, classifier: Any, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """A store with a version whose weights have five parts."""
    monkeypatch.setattr(loading, "_PART", SMALL)
    store = Parts()
    weights = bytes(range(256)) * 9
    for name, body in files_of(classifier, {"model.safetensors": weights}).items():
        store.put(URI + name, body)
    return store


def test_a_large_file_is_fetched_in_parts_and_a_small_one_whole(parts: Parts) -> None:
    version = fetch_version(parts, URI, "shade")
    weights = [part for name, part in parts.sent if name == "model.safetensors"]
    assert sorted(weights, key=lambda one: one.start) == [
        range(start, min(start + SMALL, 2304)) for start in range(0, 2304, SMALL)
    ]
    assert {name for name, _ in parts.sent}.isdisjoint({"README.md", "grid.png"})
    assert entry_of(version.graph) == version.manifest.files["model.onnx"]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    "spoil",
    [flipped, lambda body: body[:-1], lambda body: b"", lambda body: body + b"x"],
    ids=["wrong", "short", "missing", "long"],
)
def test_a_part_that_is_not_what_was_trained_ends_the_start(
    parts: Parts, spoil: Callable[[bytes], bytes], place: int
) -> None:
    """Whichever part it is, and whether it is wrong, short, missing or long."""
    parts.spoil = lambda body, part: spoil(body) if part.start == place * SMALL else body
    with pytest.raises(InvalidVersion, match="safetensors has sha256"):
        fetch_version(parts, URI, "shade")


def test_parts_of_two_writes_of_a_file_never_mix(parts: Parts) -> None:
    """The first part that comes after the second write is refused."""
    body = parts.get(URI + "model.safetensors")

    def write(found: bytes, part: range) -> bytes:
        parts.put(URI + "model.safetensors", flipped(body))
        return found

    parts.spoil = write
    with pytest.raises(KnollError):
        fetch_version(parts, URI, "shade")


@pytest.mark.parametrize("name", ["model.safetensors", "README.md"])
def test_a_missing_file_is_a_fault(files_of: Files, classifier: Any, name: str) -> None:
    """A file that the manifest names must be there."""
    files = files_of(classifier)
    del files[name]
    with pytest.raises(InvalidVersion, match=f"{name} is missing"):
        fetch_version(store_of(files), URI, "shade")


@pytest.mark.parametrize(
    "name", ["extra.json", ".DS_Store", "../x.py", "model.onnx/", "manifest.json/x", "a\nb"]
)
def test_a_file_that_the_manifest_does_not_name_is_not_fetched(
    files_of: Files, classifier: Any, name: str
) -> None:
    """It is a stray: whoever puts one into the folder must not end the version."""
    files = files_of(classifier)
    strayed = fetch_version(store_of({**files, name: b"x"}), URI, "shade")
    assert strayed == fetch_version(store_of(files), URI, "shade")


@pytest.mark.parametrize(
    "name",
    [
        "../v000002/model.onnx",
        "/etc/passwd.json",
        "a//b.json",
        "a/../b.json",
        ".hidden.json",
        "model.pkl",
        "run.sh",
        "x.py",
        "a\\b.md",
    ],
)
def test_a_name_that_is_no_file_of_a_version_is_refused(files_of: Files, classifier: Any, name: str) -> None:
    """Ways out of the folder, hidden files, pickles and scripts are refused by name, whatever their
    digest."""
    with pytest.raises(InvalidVersion, match="is no file of a version"):
        fetch_version(store_of(renamed(files_of(classifier), "README.md", name)), URI, "shade")


def test_the_manifest_must_be_one_and_be_at_home(files_of: Files, classifier: Any) -> None:
    """Broken JSON, a flipped digest, another model's or version's manifest, or one that names itself:
    refused."""
    files = files_of(classifier)
    other_digest = files["manifest.json"].replace(entry_of(files["model.onnx"]).sha256.encode(), b"0" * 64)
    for manifest in (b"{", b"[]", files["manifest.json"][:-9], other_digest):
        with pytest.raises(InvalidVersion):
            fetch_version(store_of({**files, "manifest.json": manifest}), URI, "shade")
    with pytest.raises(InvalidVersion, match="says that it is shade v000002"):
        fetch_version(store_of(files_of(classifier, version="v000002")), URI, "shade")
    with pytest.raises(InvalidVersion, match="of shade, not of digits"):
        load(partial(fetch_version, store_of(files), URI, "digits"), threads=1)


def test_a_version_needs_its_manifest_and_an_exact_folder(files_of: Files, classifier: Any) -> None:
    """Without a manifest there is no version; without the last slash v000001 would also be v0000010."""
    files = files_of(classifier)
    with pytest.raises(InvalidVersion, match="no folder"):
        fetch_version(store_of(files), URI.removesuffix("/"), "shade")
    del files["manifest.json"]
    with pytest.raises(NotFound):
        fetch_version(store_of(files), URI, "shade")
    for uri in ("http://169.254.169.254/latest/", "file:///etc/", "/etc/"):
        with pytest.raises(Rejected):
            fetch_version(MemoryStore(), uri, "shade")


@pytest.mark.parametrize(
    ("name", "body", "fault"),
    [
        ("model.onnx", b"no graph", "model.onnx cannot be loaded"),
        ("signature.json", b"{}", "is not a signature"),
        ("signature.json", b'{"inputs": [], "outputs": []}', "are not those of signature.json"),
        ("samples.json", b"[7]", "is not a list of samples"),
        ("samples.json", b'{"samples": 7}', "is not a list of samples"),
        ("samples.json", b'[{"instance": "x"}]', "sample 0 cannot be answered"),
        (
            "samples.json",
            b'[{"instance": [[0]], "prediction": {"label": "light"}}]',
            "sample 0 is not answered as it was",
        ),
    ],
)
def test_a_version_that_was_published_broken_is_not_served(
    files_of: Files, classifier: Any, name: str, body: bytes, fault: str
) -> None:
    """Digests that match are not enough: the graph must load, fit its signature and answer its samples as
    before."""
    with pytest.raises(InvalidVersion, match=fault):
        load(partial(fetch_version, store_of(files_of(classifier, {name: body})), URI, "shade"), threads=1)


def test_a_signature_that_asks_for_more_than_there_is_names_it(files_of: Files, classifier: Any) -> None:
    """An unknown codec or datatype is told at once, not with the first request."""
    signature = json.loads(files_of(classifier)["signature.json"])
    signature["inputs"][0] |= {"codec": "smell", "datatype": "FP8"}
    files = files_of(classifier, {"signature.json": json.dumps(signature).encode()})
    with pytest.raises(InvalidVersion, match=r"no input codec 'smell'.*no datatype 'FP8'"):
        load(partial(fetch_version, store_of(files), URI, "shade"), threads=1)


def test_a_bad_version_ends_the_process_before_it_listens(
    start: Callable[..., Any], files_of: Files, classifier: Any
) -> None:
    """The revision fails: exit code 65, one line that says why, and never ready; a version that is not there
    exits with 75."""
    files = files_of(classifier)
    predictor = start("shade", {**files, "model.safetensors": flipped(files["model.safetensors"])})
    assert not predictor.wait_ready("/v2/models/shade/ready")
    written = predictor.process.communicate()[0]
    assert predictor.process.returncode == 65, written
    assert len(written.splitlines()) == 1
    assert "InvalidVersion: shade v000001 is not what was trained: model.safetensors has sha256" in written
    absent = start("shade", {"README.md": b"x"})
    assert not absent.wait_ready("/v2/models/shade/ready")
    assert absent.process.returncode == 75


def test_another_manifest_than_the_pinned_one_is_refused(files_of: Files, classifier: Any) -> None:
    """Even if every file matches it."""
    files = files_of(classifier)
    pin = hashlib.sha256(files["manifest.json"]).hexdigest()
    assert fetch_version(store_of(files), URI, "shade", pin).digest == pin
    with pytest.raises(InvalidVersion, match=r"shade v000001 is not what was trained.* is pinned"):
        fetch_version(store_of(files), URI, "shade", "0" * 64)


def test_with_a_key_only_a_version_that_it_has_signed_is_served(files_of: Files, classifier: Any) -> None:
    """Without one the signature is not looked at, and is no file too many."""
    files = files_of(classifier)
    sha256 = entry_of(files["manifest.json"]).sha256
    signed, foreign, moved = (
        {**files, "attestation.json": attest("shade", version, sha256, signer_of(number)).encode()}
        for version, number in (("v000001", 0), ("v000001", 1), ("v000002", 0))
    )
    keys = signer_of(0).public.pem
    assert fetch_version(store_of(signed), URI, "shade", sha256, keys).digest == sha256
    assert fetch_version(store_of(foreign), URI, "shade", sha256).digest == sha256
    for faulty in (files, foreign, moved):
        with pytest.raises(InvalidVersion, match="shade v000001 may not be served: it"):
            fetch_version(store_of(faulty), URI, "shade", sha256, keys)


def test_a_predictor_that_lacks_a_signature_ends_with_the_code_of_a_bad_version(
    start: Any, files_of: Files, classifier: Any
) -> None:
    refused = start("shade", files_of(classifier), key=signer_of().public.pem)
    assert not refused.wait_ready("/v2/models/shade/ready")
    assert refused.process.returncode == 65
    assert "it is not signed" in refused.stop()

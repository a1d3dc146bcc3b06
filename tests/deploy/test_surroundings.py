"""`make images` and `make deploy` learn their surroundings from the environment: what they make of it, without a cluster or a builder."""

import importlib.util
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOPS = ("deploy", "eventing", "functions", "kserve")
KUSTOMIZATIONS = sorted(str(one.relative_to(ROOT)) for top in TOPS for one in (ROOT / top).rglob("kustomization.yaml"))
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}


def load(path: str) -> ModuleType:
    """A script of this repository, which is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return load("images/build.py")


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = load("deploy/deploy.py")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


@pytest.mark.parametrize(
    ("available", "own", "line"),
    [
        (["docker", "podman"], "", ["docker", "build", "-t", "here/knoll-trainer:1", "-f", "images/trainer/Dockerfile"]),
        (["podman"], "", ["podman", "build", "-t", "here/knoll-trainer:1", "-f", "images/trainer/Dockerfile"]),
        (["buildah"], "", ["buildah", "build", "-t", "here/knoll-trainer:1", "-f", "images/trainer/Dockerfile"]),
        (["docker"], "my build", ["my", "build", "here/knoll-trainer:1", ".", "-f", "images/trainer/Dockerfile"]),
    ],
)
def test_an_image_is_built_by_what_is_there(build: ModuleType, available: list[str], own: str, line: list[str]) -> None:
    environment = {"IMAGE_REGISTRY": "here/", "IMAGE_TAG": "1", "IMAGE_BUILD": own}
    assert build.command("trainer", environment, available)[: len(line)] == line


def test_without_a_builder_the_error_says_what_to_do(build: ModuleType) -> None:
    with pytest.raises(SystemExit, match="Fix: install docker, podman or buildah"):
        build.command("trainer", {}, [])


def test_a_build_is_told_of_indexes_and_not_of_folders_that_it_cannot_see(build: ModuleType) -> None:
    environment = {"PIP_INDEX_URL": "https://pypi.example/simple", "PIP_FIND_LINKS": "/home/me/wheels", "IMAGE_TAG": "1"}
    line = build.command("function", environment, ["docker"])
    assert "PIP_INDEX_URL=https://pypi.example/simple" in line
    assert not [one for one in line if "PIP_FIND_LINKS" in one]


def test_the_same_tree_has_the_same_tag(build: ModuleType) -> None:
    assert build.image("function", {}) == build.image("function", {})
    assert build.image("function", {"IMAGE_TAG": "2"}) == "knoll-function:2"


def test_the_overlay_has_the_images_and_the_store_of_its_surroundings(deploy: ModuleType, tmp_path: Path) -> None:
    environment = KEYS | {
        "IMAGE_REGISTRY": "here:5000/team",
        "IMAGE_TAG": "1",
        "KNOLL_NAMESPACE": "ours",
        "AWS_ENDPOINT_URL": "http://s3:80",
    }
    folder = deploy.write_overlay(environment, patches=["more"])
    written: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert (written["namespace"], written["patches"]) == ("ours", ["more"])
    assert {"name": "knoll-function", "newName": "here:5000/team/knoll-function", "newTag": "1"} in written["images"]
    assert "KNOLL_PREDICTOR_IMAGE=here:5000/team/knoll-predictor:1" in written["configMapGenerator"][0]["literals"]
    assert written["secretGenerator"][0]["options"]["annotations"]["serving.kserve.io/s3-endpoint"] == "s3:80"
    assert (folder / written["resources"][0]).resolve() == (tmp_path / "deploy" / "overlays" / "cluster").resolve()


def test_keys_are_written_for_their_owner_alone_with_the_endpoint_of_the_inside(deploy: ModuleType) -> None:
    folder = deploy.write_overlay(KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "S3_ENDPOINT_IN_CLUSTER": "http://s3.storage"})
    assert "AWS_ENDPOINT_URL=http://s3.storage\n" in (folder / "s3.env").read_text()
    assert stat.S_IMODE((folder / "s3.env").stat().st_mode) == 0o600


def test_with_roles_in_place_of_keys_there_is_no_secret_of_ours(deploy: ModuleType) -> None:
    written = yaml.safe_load((deploy.write_overlay({"OVERLAY": "aws"}) / "kustomization.yaml").read_text())
    assert "secretGenerator" not in written
    assert written["resources"][0].endswith("deploy/overlays/aws")


@pytest.mark.parametrize("path", KUSTOMIZATIONS)
def test_every_kustomization_names_what_is_there_and_uses_no_deprecated_field(path: str) -> None:
    document = yaml.safe_load((ROOT / path).read_text())
    missing = [one for one in document.get("resources", []) if not ((ROOT / path).parent / one).exists()]
    assert not missing
    assert not {"commonLabels", "bases", "patchesStrategicMerge", "patchesJson6902", "vars", "imageTags"} & set(document)

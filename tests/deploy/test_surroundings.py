"""`make images` and `make deploy` learn their surroundings from the environment: what they make of it,
without a cluster or a builder."""

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from knoll import __version__
from knoll.keys import read_signer, read_verify_keys
from support.keys import private_key, signer_of

ROOT = Path(__file__).parents[2]
TOPS = ("deploy", "eventing", "functions", "kserve")
KUSTOMIZATIONS = sorted(
    str(one.relative_to(ROOT)) for top in TOPS for one in (ROOT / top).rglob("kustomization.yaml")
)
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "ap-south-1"}


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


@pytest.fixture(scope="module")
def deploy() -> ModuleType:
    return load("deploy/deploy.py")


def rendered(folder: Path) -> list[dict[str, Any]]:
    """What kubectl would apply, after it has complained of nothing; skips where there is no kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH")
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def data_of(documents: list[dict[str, Any]], kind: str, name: str) -> list[dict[str, str]]:
    """The data of each object of that kind and name, those of Secrets decoded."""
    found = [one["data"] for one in documents if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return (
        [{key: b64decode(text).decode() for key, text in one.items()} for one in found]
        if kind == "Secret"
        else found
    )


@pytest.mark.parametrize(
    ("available", "own", "line"),
    [
        (
            ["docker", "podman"],
            "",
            ["docker", "build", "-t", "here/knoll-trainer:1", "-f", "images/trainer/Dockerfile"],
        ),
        (
            ["podman"],
            "",
            ["podman", "build", "-t", "here/knoll-trainer:1", "-f", "images/trainer/Dockerfile"],
        ),
        (
            ["buildah"],
            "",
            ["buildah", "build", "-t", "here/knoll-trainer:1", "-f", "images/trainer/Dockerfile"],
        ),
        (
            ["docker"],
            "my build",
            ["my", "build", "here/knoll-trainer:1", ".", "-f", "images/trainer/Dockerfile"],
        ),
    ],
)
def test_an_image_is_built_by_what_is_there(
    build: ModuleType, available: list[str], own: str, line: list[str]
) -> None:
    environment = {"IMAGE_REGISTRY": "here/", "IMAGE_TAG": "1", "IMAGE_BUILD": own}
    assert build.command("trainer", environment, available)[: len(line)] == line


def test_without_a_builder_the_error_says_what_to_do(build: ModuleType) -> None:
    with pytest.raises(SystemExit, match="Fix: install docker, podman or buildah"):
        build.command("trainer", {}, [])


def test_a_build_is_told_of_indexes_and_not_of_folders_that_it_cannot_see(build: ModuleType) -> None:
    environment = {
        "PIP_INDEX_URL": "https://pypi.example/simple",
        "PIP_FIND_LINKS": "/home/me/wheels",
        "IMAGE_TAG": "1",
    }
    line = build.command("function", environment, ["docker"])
    assert "PIP_INDEX_URL=https://pypi.example/simple" in line
    assert not [one for one in line if "PIP_FIND_LINKS" in one]


def test_an_image_is_labelled_with_the_version_of_the_package(build: ModuleType) -> None:
    """The version is written once, in pyproject.toml."""
    assert f"VERSION={__version__}" in build.command("predictor", {}, ["docker"])
    files = [(ROOT / "images" / name / "Dockerfile").read_text() for name in build.NAMES]
    assert all("ARG VERSION\n" in text for text in files)


def test_the_same_tree_has_the_same_tag(build: ModuleType) -> None:
    assert build.image("function", {}) == build.image("function", {})
    assert build.image("function", {"IMAGE_TAG": "2"}) == "knoll-function:2"


def test_the_overlay_has_the_images_and_the_store_of_its_surroundings(
    deploy: ModuleType, tmp_path: Path
) -> None:
    environment = KEYS | {
        "IMAGE_REGISTRY": "here:5000/team",
        "IMAGE_TAG": "1",
        "KNOLL_NAMESPACE": "ours",
        "AWS_ENDPOINT_URL": "http://s3:80",
    }
    folder = deploy.write_overlay(environment, root=tmp_path, patches=["more"])
    written: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert (written["namespace"], written["patches"]) == ("ours", ["more"])
    assert {"name": "knoll-function", "newName": "here:5000/team/knoll-function", "newTag": "1"} in written[
        "images"
    ]
    assert (
        "KNOLL_PREDICTOR_IMAGE=here:5000/team/knoll-predictor:1"
        in written["configMapGenerator"][0]["literals"]
    )
    assert written["secretGenerator"][0]["options"]["annotations"]["serving.kserve.io/s3-endpoint"] == "s3:80"
    assert (folder / written["resources"][0]).resolve() == ROOT / "deploy" / "overlays" / "cluster"


def test_keys_are_written_for_their_owner_alone_with_the_endpoint_of_the_inside(
    deploy: ModuleType, tmp_path: Path
) -> None:
    environment = KEYS | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "S3_ENDPOINT_IN_CLUSTER": "http://s3.storage",
    }
    folder = deploy.write_overlay(environment, root=tmp_path)
    assert "AWS_ENDPOINT_URL=http://s3.storage\n" in (folder / "s3.env").read_text()
    assert stat.S_IMODE((folder / "s3.env").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("overlay", "given", "secrets"),
    [
        ("cluster", {}, []),
        ("cluster", KEYS, [KEYS]),
        ("gpu", {}, []),
        ("gpu", {**KEYS, "AWS_REGION": ""}, [{**KEYS, "AWS_REGION": "us-east-1"}]),
        ("aws", {}, [{"AWS_REGION": "eu-central-1"}]),
        ("aws", {"AWS_DEFAULT_REGION": "eu-west-3"}, [{"AWS_REGION": "eu-west-3"}]),
        ("aws", {**KEYS, "AWS_SESSION_TOKEN": "token"}, [{"AWS_REGION": "ap-south-1"}]),
    ],
)
def test_every_overlay_renders_with_the_secret_of_its_surroundings(
    deploy: ModuleType, tmp_path: Path, overlay: str, given: dict[str, str], secrets: list[dict[str, str]]
) -> None:
    """Keys go to the cluster where no role takes their place, and the region of the environment wins."""
    environment = {"OVERLAY": overlay, "KNOLL_NAMESPACE": "ours", "IMAGE_TAG": "1", **given}
    folder = deploy.write_overlay(environment, root=tmp_path)
    assert (folder / "s3.env").exists() == (overlay != "aws" and bool(given))
    documents = rendered(folder)
    assert data_of(documents, "Secret", "knoll-s3") == secrets
    assert {one["metadata"].get("namespace", "ours") for one in documents} == {"ours"}
    (config,) = data_of(documents, "ConfigMap", "knoll")
    assert config["KNOLL_TRAINER_IMAGE"] == "knoll-trainer:1"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"AWS_SESSION_TOKEN": "token"}, "temporary.*\nFix: .*OVERLAY=aws"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY is not"),
    ],
)
def test_keys_that_would_not_do_on_the_cluster_are_refused_before_they_are_written(
    deploy: ModuleType, tmp_path: Path, more: dict[str, str], reason: str
) -> None:
    with pytest.raises(SystemExit, match=reason):
        deploy.write_overlay({**KEYS, **more}, root=tmp_path)
    with pytest.raises(SystemExit, match=reason):
        deploy.deploy({**KEYS, **more})
    assert not list(tmp_path.iterdir())


def test_on_aws_every_account_has_a_role_of_its_own(deploy: ModuleType, tmp_path: Path) -> None:
    """But for those whose Pods read no bucket: Knative's, which tells of Jobs and Pods, and the router."""
    documents = rendered(deploy.write_overlay({"OVERLAY": "aws"}, root=tmp_path))
    accounts = {
        one["metadata"]["name"]: one["metadata"].get("annotations")
        for one in documents
        if one["kind"] == "ServiceAccount"
    }
    assert [accounts.pop(name) for name in ("knoll-objects", "knoll-router")] == [None, None]
    assert len(accounts) > 7
    assert accounts == {
        name: {"eks.amazonaws.com/role-arn": f"arn:aws:iam::111122223333:role/{name}"} for name in accounts
    }


def test_on_aws_the_queue_is_read_in_a_namespace_that_takes_the_pod_for_the_broker_of_the_installation(
    deploy: ModuleType, tmp_path: Path
) -> None:
    environment = {"OVERLAY": "aws", "KNOLL_NAMESPACE": "ours"}
    folder = deploy.write_overlay(environment, root=tmp_path)
    space, _, source = rendered(deploy.write_sources(environment, folder))
    assert (space["metadata"]["name"], source["metadata"]["namespace"]) == ("ours-sources", "ours-sources")
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert (source["kind"], source["spec"]["sink"]["ref"]["namespace"]) == ("IntegrationSource", "ours")
    assert "IntegrationSource" not in {one["kind"] for one in rendered(folder)}


def test_the_sample_overlay_is_in_the_documents_and_its_images_go_everywhere() -> None:
    """`images:` reaches functions and the ServingRuntime, the ConfigMap has the images of Jobs and
    predictors."""
    sample = ROOT / "deploy" / "samples" / "overlay"
    assert (sample / "kustomization.yaml").read_text() in (ROOT / "docs" / "cluster.md").read_text()
    documents = rendered(sample)
    (config,), (secret,) = data_of(documents, "ConfigMap", "knoll"), data_of(documents, "Secret", "knoll-s3")
    assert set(secret) == {"AWS_ENDPOINT_URL", *KEYS}
    wanted = {
        name: f"registry.example.com/team/knoll-{name}:1.0.0" for name in ("function", "trainer", "predictor")
    }
    assert (config["KNOLL_TRAINER_IMAGE"], config["KNOLL_PREDICTOR_IMAGE"]) == (
        wanted["trainer"],
        wanted["predictor"],
    )
    assert set(re.findall(r"^ +(?:- )?image: (\S+)$", yaml.safe_dump_all(documents), re.MULTILINE)) == {
        wanted["function"],
        wanted["predictor"],
    }
    assert config["KNOLL_MODEL_BUCKET"] == "team-knoll-models"


@pytest.mark.parametrize("path", KUSTOMIZATIONS)
def test_every_kustomization_names_what_is_there_and_uses_no_deprecated_field(path: str) -> None:
    document = yaml.safe_load((ROOT / path).read_text())
    missing = [one for one in document.get("resources", []) if not ((ROOT / path).parent / one).exists()]
    assert not missing
    assert not {
        "commonLabels",
        "bases",
        "patchesStrategicMerge",
        "patchesJson6902",
        "vars",
        "imageTags",
    } & set(document)


FAKE_KUBECTL = """#!{python}
import base64, json, pathlib, sys
home = pathlib.Path(__file__).parent
with (home / "calls").open("a") as calls:
    print(sys.argv[1:], file=calls)
secret = home / ("stamping.json" if "knoll-stamping" in sys.argv else "secret.json")
if sys.argv[1] == "get":
    sys.stdout.write(secret.read_text()) if secret.exists() else sys.exit("Error (NotFound): no such secret")
elif sys.argv[1] == "create":
    if secret.exists():
        sys.exit("Error (AlreadyExists)")
    text = json.load(sys.stdin)["stringData"]
    data = {{name: base64.b64encode(one.encode()).decode() for name, one in text.items()}}
    secret.write_text(json.dumps({{"data": data}}))
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a kubectl that keeps one Secret, in secret.json, and notes its command lines in calls."""
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(FAKE_KUBECTL.format(python=sys.executable))
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:{os.environ['PATH']}")
    return kubectl.parent


def test_the_key_that_signs_is_made_once_and_never_replaced(cluster: Path) -> None:
    signing = load("deploy/signing_key.py")
    made = signing.find_or_make_verify_key("ours")
    (public,) = read_verify_keys(made)
    secret = json.loads((cluster / "secret.json").read_text())["data"]
    assert public == read_signer(b64decode(secret["private.pem"]).decode()).public.id
    assert signing.find_or_make_verify_key("ours") == made
    assert json.loads((cluster / "secret.json").read_text())["data"] == secret
    calls = (cluster / "calls").read_text()
    assert calls.count("'create'") == 1
    assert "KEY" not in calls


def test_all_public_keys_of_the_secret_are_passed_on_and_that_of_a_lone_private_key(cluster: Path) -> None:
    signing = load("deploy/signing_key.py")
    both = signer_of(0).public.pem + signer_of(1).public.pem
    for kept in ({"private.pem": private_key(0), "public.pem": both}, {"private.pem": private_key(0)}):
        data = {name: b64encode(text.encode()).decode() for name, text in kept.items()}
        (cluster / "secret.json").write_text(json.dumps({"data": data}))
        assert signing.find_or_make_verify_key("ours") == kept.get("public.pem", signer_of(0).public.pem)


def test_a_cluster_that_does_not_answer_gets_no_new_key(cluster: Path) -> None:
    (cluster / "kubectl").write_text("#!/bin/sh\necho 'Unable to connect to the server' >&2; exit 1\n")
    with pytest.raises(SystemExit, match="cannot be read: Unable to connect"):
        load("deploy/signing_key.py").find_or_make_verify_key("ours")


SILENT = """#!/bin/sh
echo "$@" >> {home}/calls
test $(wc -l < {home}/calls) -gt 2 && exit 0
echo 'Error from server (InternalError): error when creating "build": Internal error occurred: failed calling\
 webhook "webhook.eventing.knative.dev": failed to call webhook: Post "https://eventing-webhook": {why}' >&2
exit 1
"""


def silent_cluster(deploy: ModuleType, cluster: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> list[str]:
    """A cluster whose webhook answers the third call, and fails before for that reason; what is slept."""
    (cluster / "kubectl").write_text(SILENT.replace("\\\n", "").format(home=cluster, why=why))
    slept: list[str] = []
    monkeypatch.setattr(deploy.time, "sleep", lambda seconds: slept.append(str(seconds)))
    return slept


@pytest.mark.parametrize(
    "why",
    [
        "dial tcp 10.0.0.1:443: connect: connection refused",
        "context deadline exceeded",
        'no endpoints available for service "eventing-webhook"',
    ],
)
def test_what_a_silent_webhook_refuses_is_applied_again_when_it_answers(
    deploy: ModuleType,
    cluster: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    why: str,
) -> None:
    slept = silent_cluster(deploy, cluster, monkeypatch, why)
    deploy.apply_when_admitted(Path("build"))
    assert (cluster / "calls").read_text().splitlines() == ["apply -k build"] * 3
    assert len(slept) == 2
    said = "waiting until the admission webhook webhook.eventing.knative.dev answers"
    assert capsys.readouterr().out.count(said) == 2


def test_a_webhook_that_stays_silent_ends_the_deployment_and_so_does_another_fault_at_once(
    deploy: ModuleType, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_cluster(deploy, cluster, monkeypatch, "connect: connection refused")
    monkeypatch.setattr(deploy, "_WEBHOOK_PATIENCE", -1.0)
    with pytest.raises(
        SystemExit, match=r"the admission webhook webhook.eventing.knative.dev has not answered"
    ):
        deploy.apply_when_admitted(Path("build"))
    silent_cluster(deploy, cluster, monkeypatch, "the Broker is not valid")
    with pytest.raises(SystemExit, match="kubectl apply -k build failed"):
        deploy.apply_when_admitted(Path("build"))
    assert len((cluster / "calls").read_text().splitlines()) == 2


def test_only_functions_that_stamp_records_get_the_key_for_it(deploy: ModuleType, tmp_path: Path) -> None:
    """Neither a trainer nor a predictor does. If the Secret is missing, a function says so when it stamps."""
    keys = signer_of(3).public.pem
    documents = rendered(deploy.write_overlay({"IMAGE_TAG": "1"}, root=tmp_path, stamp_verify_key=keys))
    (config,) = data_of(documents, "ConfigMap", "knoll")
    assert config["KNOLL_STAMP_VERIFY_KEY"] == keys
    have_it = [one for one in documents if "knoll-stamping" in yaml.safe_dump(one)]
    names = {one["metadata"]["name"] for one in have_it}
    writers = ("ingest", "notifications", "rollout", "sweep", "train")
    assert names == {f"knoll-{name}" for name in writers}
    for one in have_it:
        (variable,) = [
            variable
            for variable in one["spec"]["template"]["spec"]["containers"][0]["env"]
            if variable["name"] == "KNOLL_STAMP_KEY"
        ]
        assert variable["valueFrom"] == {
            "secretKeyRef": {"name": "knoll-stamping", "key": "private.pem", "optional": True}
        }


def test_functions_learn_the_public_keys_and_no_manifest_names_the_private_one(
    deploy: ModuleType, tmp_path: Path
) -> None:
    """Only a Job does, which train makes. No Role allows to read any Secret, and two to make one."""
    keys = signer_of(0).public.pem + signer_of(1).public.pem
    documents = rendered(deploy.write_overlay({"IMAGE_TAG": "1"}, root=tmp_path, verify_key=keys))
    (config,) = data_of(documents, "ConfigMap", "knoll")
    assert config["KNOLL_VERIFY_KEY"] == keys
    assert config["KNOLL_TRAINER_IMAGE"] == "knoll-trainer:1"
    assert "knoll-signing" not in yaml.safe_dump_all(documents)
    rules = [rule for one in documents if one["kind"] == "Role" for rule in one["rules"]]
    assert rules
    of_secrets = [rule for rule in rules if {"secrets", "*"} & {*rule["resources"]}]
    assert [rule["verbs"] for rule in of_secrets] == [["create"], ["create"]]

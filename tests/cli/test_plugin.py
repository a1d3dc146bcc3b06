"""`kn model`, as kn calls it: with all words behind `kn` but its own name, in the order in which they were
typed."""

import json
from pathlib import Path

import pytest
from typer.main import get_command

from cli.declared import Knoll, Kubeconfig
from knoll.cli import plugin
from knoll.cli.app import GROUPS, VERBS
from knoll.cli.grammar import PLUGIN, flags_first, spoken
from knoll.ports import Platform

COMMANDS = vars(get_command(plugin.app))["commands"]
SHOWN = {name for name, command in COMMANDS.items() if not command.hidden}
SHARED = [spoken(PLUGIN, f"knoll {verb.words}").split()[2:] for verb in VERBS if not verb.is_local]
GROUP_NAMES = [[name] for name in GROUPS]
CLOSED = 9  # nobody listens there


def test_has_the_verbs_of_a_cluster() -> None:
    """What concerns one machine only is not there."""
    local = {verb.words for verb in VERBS if verb.is_local}
    assert {words[0] for words in SHARED} == SHOWN
    assert {"demo", "up", "env"} <= local
    assert not local & COMMANDS.keys()


@pytest.mark.parametrize("words", [*SHARED, *GROUP_NAMES, []])
def test_help_speaks_of_kn(kn_model: Knoll, words: list[str]) -> None:
    """Examples and the next commands can be typed as they stand."""
    help = kn_model(*words, "--help").stdout
    assert "kn model" in help
    assert "knoll " not in help


def test_is_the_same_command_by_another_name(
    knoll: Knoll, kn_model: Knoll, platform: Platform, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kn model list` tells what `knoll models` tells, and hints and errors name kn's commands."""
    monkeypatch.setenv("KNOLL_CLUSTER", "local")
    assert "Next: kn model apply -f FILE" in kn_model("list").stderr
    assert "Next: kn model upload digits PATH" in kn_model("apply", "-f", model_file).stderr
    assert (
        kn_model("list", "-o", "json").stdout
        == knoll("models", "-o", "json").stdout
        == knoll("list", "-o", "json").stdout
    )
    missing = kn_model("why", "nothing", "-o", "json")
    assert missing.exit_code == 4
    assert json.loads(missing.stdout)["error"]["fix"] == "kn model list lists them (digits)"


@pytest.mark.parametrize(
    "words",
    [
        "-n x {flag} list",
        "list -n x {flag}",
        "runs --namespace=x {flag} logs digits",
        "rollout {flag} status digits",
    ],
)
def test_the_flags_of_the_cluster_may_stand_anywhere(
    kn_model: Knoll, kubeconfig: Kubeconfig, words: str
) -> None:
    """kn passes its global flags on where they were typed. A cluster that does not answer is an error with a
    fix, and no traceback."""
    result = kn_model(*words.format(flag=f"--kubeconfig {kubeconfig(CLOSED)}").split())
    assert result.exit_code == 1, result.output
    assert "Error: the API server did not answer" in result.stderr
    assert "Fix: check that the cluster is up" in result.stderr


def test_who_names_a_cluster_means_one(knoll: Knoll, kubeconfig: Kubeconfig) -> None:
    """`knoll` itself is for this machine, until a flag or KNOLL_CLUSTER says otherwise."""
    flags = ["--kubeconfig", kubeconfig(CLOSED)]
    assert "the API server did not answer" in knoll("models", *flags).stderr
    assert "Fix: knoll up" in knoll("models", *flags, "--cluster", "local").stderr


def test_a_kubeconfig_or_context_that_is_not_there_is_named(
    kn_model: Knoll, kubeconfig: Kubeconfig, tmp_path: Path
) -> None:
    """Nothing says where the cluster is, and the error says what would."""
    for words in (
        ["--kubeconfig", tmp_path / "nothing"],
        ["--kubeconfig", kubeconfig(CLOSED), "--context", "nothing"],
    ):
        result = kn_model("list", *words)
        assert result.exit_code == 1
        assert "nothing says where the cluster is" in result.stderr
        assert "Fix: set KUBECONFIG" in result.stderr


def test_a_flag_of_kn_that_cannot_be_followed_is_refused(kn_model: Knoll) -> None:
    """kn's own --cluster names a cluster of the kubeconfig; ignoring it could change another one."""
    for words in (["--cluster", "other", "list"], ["list", "--cluster", "other"], ["list", "--as", "admin"]):
        assert kn_model(*words).exit_code == 2


def test_manifest_tells_kn_that_nothing_is_shared(kn_model: Knoll) -> None:
    """The answer that kn decodes when its plugins share data."""
    assert json.loads(kn_model("manifest").stdout) == {
        "hasManifest": True,
        "producesKeys": [],
        "consumesKeys": [],
    }


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        (["predict", "m", "-n", "x", "a.png"], ["-n", "x", "predict", "m", "a.png"]),
        (["runs", "--context=c", "-w"], ["--context=c", "runs", "-w"]),
        (["predict", "m", "--", "-n", "x"], ["predict", "m", "--", "-n", "x"]),
        (["list", "-n"], ["list", "-n"]),
    ],
)
def test_flags_go_first(words: list[str], ordered: list[str]) -> None:
    """With their values; what is no option, or has no value, keeps its place."""
    assert flags_first(words) == ordered

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.models import ArgumentInfo

from cli.declared import Knoll, Kubeconfig, Records
from knoll.cli.app import GROUPS, VERBS
from knoll.cli.arguments import ModelArgument, ModelsArgument, OneModelArgument
from knoll.cli.root import Verb, flowing
from knoll.ports import Platform
from knoll.quoting import escaped

COMMANDS = [verb.words for verb in VERBS]
LOCAL = [verb.words for verb in VERBS if verb.is_local]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_gives_an_example_and_the_next_command(knoll: Knoll, command: str) -> None:
    """Each command's help has an example and says what comes next."""
    result = knoll(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Example: " in result.stdout
    assert "Next" in result.stdout


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_a_group_names_each_of_its_commands(knoll: Knoll, group: str) -> None:
    """Also if its bare name is a command."""
    for words in (verb.words for verb in VERBS if verb.words.startswith(f"{group} ")):
        assert words.removeprefix(f"{group} ") in _listed(knoll(group, "--help").stdout), words


def _listed(help: str) -> set[str]:
    """The first words of the lines under "Commands"."""
    lines = help.partition("Commands")[2].splitlines()
    found = (line.strip("│ ").removeprefix("knoll ").split() for line in lines)
    return {word for words in found for word in words[:2]}


def test_help_wraps_at_any_width() -> None:
    """A line of the source is no line of the terminal."""
    text = "Do it,\nand more.\n\nIn JSON, a: b. JSON: {a,\nb}; with -w more. Next, elsewhere: knoll see"
    assert flowing(text).split("\n\n") == [
        *("Do it, and more.", "In JSON, a: b.", "JSON: {a, b}; with -w more."),
        "Next, elsewhere: knoll see",
    ]


def test_help_and_completion_load_nothing_heavy() -> None:
    """`knoll --help` imports neither torch nor kserve nor boto3."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "knoll.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "knoll.cli.app" in loaded
    assert not {"torch", "kserve", "boto3", "httpx", "pydantic", "yaml", "sqlite3", "lightkube"} & loaded


def test_a_command_that_reads_no_bucket_loads_no_client(platform: Platform) -> None:
    """Clients of S3 and HTTP take longer to import than all that `knoll models` does."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "knoll.cli", "models"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "knoll.wiring.platform" in loaded
    assert not {"torch", "numpy", "kserve", "boto3", "httpx", "lightkube"} & loaded


def test_without_a_platform_the_error_says_how_to_start_one(knoll: Knoll) -> None:
    """Each command names the fix on stderr, and with -o json prints one error object on stdout."""
    for command in (["models"], ["runs"], ["env"], ["why", "digits"], ["describe", "digits"], ["events"]):
        result = knoll(*command, "-o", "json")
        assert result.exit_code == 4
        assert "Fix: knoll up" in result.stderr
        assert set(json.loads(result.stdout)["error"]) == {"code", "message", "fix"}
    assert knoll("models").stdout == ""


def test_a_setting_with_a_fault_is_named(knoll: Knoll, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong environment variable is an error with a fix, and no traceback."""
    monkeypatch.setenv("KNOLL_PORT", "99999")
    monkeypatch.setenv("KNOLL_IDLE", "soon")
    result = knoll("models")
    assert result.exit_code == 1
    assert "KNOLL_PORT must be at most 65535, not '99999'" in result.stderr
    assert "KNOLL_IDLE must be a number such as 0.95, not 'soon'" in result.stderr
    assert "Fix: " in result.stderr


def test_a_file_that_cannot_be_written_is_named(knoll: Knoll, records: Records, tmp_path: Path) -> None:
    """The disk's refusal is an error with a fix, and no traceback."""
    records.version(records.run(), picture=b"png")
    (tmp_path / "file").touch()
    result = knoll("versions", "digits", "--pictures", tmp_path / "file" / "folder")
    assert result.exit_code == 1
    assert f"Error: {tmp_path / 'file' / 'folder'}: Not a directory" in result.stderr


def test_usage_errors_exit_with_two(knoll: Knoll) -> None:
    """An unknown option or command is a usage error."""
    assert knoll("models", "--nonsense").exit_code == 2
    assert knoll("nonsense").exit_code == 2
    assert knoll("upload", "digits").exit_code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("runs --limit x", "Invalid value for '--limit': must be a whole number, not 'x'"),
        ("runs --limit 0", "Invalid value for '--limit': must be at least 1, not '0'"),
        ("runs -w --timeout nan", "Invalid value for '--timeout': must be at least 0, not 'nan'"),
    ],
)
def test_a_value_that_cannot_be_is_told_in_our_words(knoll: Knoll, words: str, told: str) -> None:
    result = knoll(*words.split())
    assert told in " ".join(result.stderr.split())
    assert result.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense", "-o", "json"),
        ("--nonsense", "models", "-o", "json"),
        ("models", "--nonsense", "-ojson"),
        ("upload", "digits", "--output=json"),
        ("runs", "logs", "--output", "json"),
    ],
)
def test_a_wrong_command_line_is_json_for_who_asks_for_json(knoll: Knoll, words: tuple[str, ...]) -> None:
    """Also where the words are so wrong that no option is read."""
    result = knoll(*words)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "UsageError"
    assert (
        knoll(*(word for word in words if "json" not in word and word not in {"-o", "--output"})).stdout == ""
    )


def test_env_lines_are_safe_to_evaluate(knoll: Knoll, platform: Platform) -> None:
    """A shell that evaluates `knoll env` has the values that -o json shows."""
    result = knoll("env")
    wanted = json.loads(knoll("env", "-o", "json").stdout)
    assert wanted["AWS_ENDPOINT_URL"] == platform.settings.s3_endpoint
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        ["sh", "-c", f'{result.stdout}\n"$0" -c "{program}"', sys.executable],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/bin"},
    )
    assert json.loads(done.stdout).items() >= wanted.items()


@pytest.mark.parametrize("command", LOCAL)
def test_what_runs_on_this_machine_refuses_a_cluster(
    knoll: Knoll, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Whoever has chosen a cluster is told so, and no platform is started."""
    monkeypatch.setenv("KNOLL_CLUSTER", "kubernetes")
    result = knoll(command)
    assert result.exit_code == 1
    assert f"knoll {command} is for this machine" in result.stderr


def complete(home: Path, line: str, **more: str) -> list[str]:
    words = line.split(" ")
    env = more | {
        "_KNOLL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "KNOLL_HOME": str(home),
    }
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['knoll']; from knoll.cli import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.stderr == ""
    return done.stdout.split()


def _is_offered_digits(home: Path, line: str) -> bool:
    return complete(home, line) == ["digits"]


def test_completion_offers_models_versions_and_runs(
    knoll: Knoll, platform: Platform, model_file: Path, records: Records, until: Callable[..., None]
) -> None:
    """The shell is offered names from the running platform. On a busy machine one look may take too long."""
    knoll("apply", "-f", model_file)
    lines = ("predict dig", "runs dig", "rollout status ", "rollout dig", "rollout replay dig")
    for line in (f"knoll {one}" for one in lines):
        until(partial(_is_offered_digits, platform.settings.home, line), 60)
    assert "upload" in complete(platform.settings.home, "knoll up")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_each_argument_that_names_a_model_is_one_of_the_shared_ones(verb: Verb) -> None:
    """They complete it, and refuse what no Model can be called."""
    hints = get_type_hints(verb.run, include_extras=True)
    found = {hints[name] for name in ("model", "models") if name in hints}
    arguments = {one for one in found if isinstance(one.__metadata__[0], ArgumentInfo)}
    assert not arguments - {ModelArgument, OneModelArgument, ModelsArgument}


def test_completion_is_quiet_without_a_platform(tmp_path: Path) -> None:
    """No platform, no names, no noise."""
    assert complete(tmp_path, "knoll predict dig") == []


def test_completion_does_not_wait_for_a_cluster_that_is_silent(
    tmp_path: Path, kubeconfig: Kubeconfig
) -> None:
    """A shell gets its prompt back, with nothing to choose from."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        chosen = {
            "KNOLL_CLUSTER": "kubernetes",
            "KUBECONFIG": str(kubeconfig(silent.getsockname()[1])),
            "KNOLL_NAMESPACE": "knoll",
        }
        started = time.monotonic()
        assert complete(tmp_path, "knoll predict dig", **chosen) == []
        assert (
            time.monotonic() - started < 9
        )  # the client itself would wait for 10 s, and for each request anew


NAMING = [
    *("describe NAME", "runs NAME", "runs NAME -w", "data NAME", "versions NAME", "verify NAME", "card NAME"),
    *("why NAME", "delete NAME --yes", "gc NAME", "upload NAME .", "predict NAME --seed 1"),
    *("rollout NAME", "rollout status NAME", "rollout pause NAME", "rollout undo NAME"),
    *("versions digits NAME", "versions digits --compare v000001 NAME"),
    *("verify digits NAME", "card digits NAME", "why digits NAME"),
]


@pytest.mark.parametrize("name", ["\udcff\x1b[31m", "../x"])
def test_what_can_be_no_name_is_not_there(
    knoll: Knoll, platform: Platform, model_file: Path, name: str
) -> None:
    """Not even bytes that are no UTF-8, which Python passes on as surrogates."""
    knoll("apply", "-f", model_file)
    for command in NAMING:
        result = knoll(*(name if word == "NAME" else word for word in command.split()), "-o", "json")
        assert result.exit_code == 4, command
        assert escaped(name) in result.stderr
        assert json.loads(result.stdout)["error"]["code"] == "NotFound"

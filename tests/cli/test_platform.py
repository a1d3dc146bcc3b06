import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from cli.declared import Knoll
from knoll.cli.child import platform_child
from knoll.settings import read_settings
from knoll.wiring.running import running
from laptop.running import Eventually

pytestmark = pytest.mark.loop


def test_up_says_where_it_is_and_ends_quietly_with_ctrl_c(knoll: Knoll, tmp_path: Path) -> None:
    """`knoll up -o json` prints one object when it is ready; SIGINT ends it with exit code 0 and nothing
    stays behind."""
    home = tmp_path / "home"
    command = [sys.executable, "-m", "knoll.cli", "--home", str(home), "up", "--port", "0", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        facts = json.loads(child.stdout.readline())
        assert facts["home"] == str(home)
        assert facts["pid"] == child.pid
        env = json.loads(knoll("--home", home, "env", "-o", "json").stdout)
        assert (env["KNOLL_URL"], env["AWS_ENDPOINT_URL"]) == (facts["url"], facts["s3Endpoint"])
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0
    assert knoll("--home", home, "models").exit_code == 4


def test_the_demo_leaves_nothing_running_when_it_fails(knoll: Knoll, tmp_path: Path) -> None:
    """The demo's platform ends with the block that uses it, also when that block raises."""
    settings = read_settings(home=tmp_path / "home", port=0)
    with suppress(ZeroDivisionError), platform_child(settings):
        found = running(settings)
        raise ZeroDivisionError
    assert found is not None
    assert running(settings) is None
    with pytest.raises(ProcessLookupError):
        os.kill(found.pid, 0)


def test_a_closed_terminal_ends_the_demo_s_platform(tmp_path: Path) -> None:
    """SIGHUP reaches the demo alone, which stops what it has started."""
    settings = read_settings(home=tmp_path / "home", port=0)
    program = (
        "import signal, sys, time\nfrom knoll.cli.child import platform_child\nfrom knoll.settings "
        "import read_settings\n"
        # whatever runs the tests: nohup would have the demo stay
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "with platform_child(read_settings(home=sys.argv[1], port=0)):\n    print(flush=True)\n    "
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(settings.home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        assert demo.stdout
        assert demo.stderr
        if not demo.stdout.readline():
            pytest.fail(demo.stderr.read().decode())
        found = running(settings)
        demo.send_signal(signal.SIGHUP)
        assert demo.wait(120)
    assert found is not None
    assert running(settings) is None
    assert settings.home.stat().st_mode & 0o077 == 0


def test_an_event_that_a_function_refuses_is_a_dead_letter_that_can_be_resent(
    knoll: Knoll, tmp_path: Path, until: Eventually
) -> None:
    """Posted to the broker, taken, refused once by train, and shown with the reason; published again by a
    tick, and refused again."""
    settings = read_settings(home=tmp_path / "home", port=0)
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/forged",
        "type": "dev.knoll.dataset.landed",
        "data": ["digits"],
    }
    with platform_child(settings):
        found = running(settings)
        assert found is not None
        answer = httpx.post(
            f"{found.url}/broker",
            content=json.dumps(event),
            headers={
                "content-type": "application/cloudevents+json",
                "authorization": f"Bearer {found.token}",
            },
        )
        assert answer.status_code == 202

        def dead() -> list[dict[str, str]]:
            lines = knoll("--home", settings.home, "events", "--dead", "-o", "json").stdout.splitlines()
            return [json.loads(line) for line in lines]

        until(dead)
        (letter,) = dead()
        assert (letter["id"], letter["knativeerrorcode"]) == ("1", "422")
        assert "names no run" in knoll("--home", settings.home, "events", "--dead").stdout
        ended = knoll("--home", settings.home, "dlq", "replay", "--all", "-w", "--timeout", 60)
        assert ended.exit_code == 0, ended.output

        def again() -> bool:
            (told,) = json.loads(knoll("--home", settings.home, "dlq", "list", "--all", "-o", "json").stdout)[
                "letters"
            ]
            return (told["state"], told["times"]) == ("Dead", 2)

        until(again)

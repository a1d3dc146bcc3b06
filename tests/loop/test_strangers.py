"""What strangers sent to a real platform: requests, data, and objects among the records. All of it is refused
or passed over, and the platform stays well."""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from knoll.events import PREDICTOR_OBSERVED
from knoll.views.runs import read_runs
from loop.conftest import Laptop, Until
from loop.hostile import BODIES, STRAYS, archive, bars
from loop.test_loop import FAST, Client, picture
from support.doors import listeners
from support.pictures import odd_pngs

pytestmark = [pytest.mark.attack, pytest.mark.loop, pytest.mark.timeout(400)]

VERBS = ("models", "runs", "data digits", "describe digits", "versions digits", "gc --dry-run", "why digits")
QUICK = {"steps": [50], "minRequests": 10, "bake": "2s"}


@pytest.fixture(scope="module")
def served(
    own: Laptop, digits: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Laptop, Path]:
    """A platform with strays of all kinds that serves digits, and the folder of its data."""
    for key, body in STRAYS.items():
        own.platform.store.put(f"{own.root}/{key}", body)
    own.declare("digits", **FAST, rollout=QUICK)
    folder = digits(tmp_path_factory.mktemp("served"))
    own.knoll("upload", "digits", str(folder))
    own.wait_for_champion("v000001")
    return own, folder


def test_strays_of_all_kinds_stop_nothing_and_are_named(served: tuple[Laptop, Path]) -> None:
    laptop, _ = served
    for verb in VERBS:
        laptop.knoll(*verb.split())
    named = json.loads(laptop.knoll("doctor", "-o", "json", code=1))
    assert named["findings"]
    for key in ("claims/digits/.DS_Store", "superseded/digits-x.json", "models/digits/README/"):
        assert key in json.dumps(named)


def test_odd_pictures_do_not_roll_a_canary_back(
    served: tuple[Laptop, Path], digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    laptop, folder = served
    before = laptop.model()["champion"]
    laptop.declare("digits", **FAST, rollout={**QUICK, "idle": "hold"})
    laptop.knoll("upload", "digits", str(digits(tmp_path / "more", start=40)))
    until(lambda: laptop.model()["phase"] == "Canary", 120)
    for body in odd_pngs():
        answer = laptop.predict("digits", [{"b64": base64.b64encode(body).decode()}])
        assert answer.status_code in (200, 400), answer.text
    url = f"{laptop.platform.settings.url}/v1/models/digits:predict"
    with Client(url, {"instances": [picture(folder, "7")]}) as client:
        until(lambda: laptop.model()["phase"] == "Idle", 120)
    assert client.failures == []
    assert laptop.model()["champion"] > before
    assert laptop.model()["champion"] not in laptop.model().get("quarantine", {})


def test_what_others_report_decides_no_canary(
    served: tuple[Laptop, Path], digits: Callable[..., Path], tmp_path: Path, until: Until
) -> None:
    """Forged reports neither promote nor roll back, and who says that his requests are replays is counted
    like everybody."""
    laptop, folder = served
    before, settings = laptop.model()["champion"], laptop.platform.settings
    laptop.declare("digits", **FAST, rollout={**QUICK, "idle": "hold"})
    laptop.knoll("upload", "digits", str(digits(tmp_path / "more", start=80)))
    until(lambda: laptop.model()["phase"] == "Canary", 120)
    version = laptop.model()["candidate"]
    for requests, errors, proof in (
        (5_000, 0, None),
        (50_000, 50_000, None),
        (5_000, 0, "0" * 64),
        (-5, 0, 7),
    ):
        said = {"model": "digits", "version": version, "instance": "forged", "requests": requests}
        forged = {"id": f"{requests}-{proof}", "type": PREDICTOR_OBSERVED, "source": "/attacker"}
        answer = httpx.post(
            f"{settings.url}/broker",
            json={**forged, "specversion": "1.0", "data": {**said, "errors": errors, "proof": proof}},
            headers={
                "content-type": "application/cloudevents+json",
                "authorization": f"Bearer {settings.token}",
            },
        )
        assert answer.status_code == 202
    until(lambda: laptop.model().get("disbelievedReports"), 30)
    assert "not believed" in laptop.knoll("doctor", code=1)
    assert (laptop.model()["phase"], laptop.model()["rollout"]["evidence"]["requests"]) == ("Canary", 0)

    url, body = f"{settings.url}/v1/models/digits:predict", {"instances": [picture(folder, "7")]}

    with httpx.Client(headers={"x-knoll-replay": "true"}, timeout=120) as client:

        def ask() -> str:
            for _ in range(20):
                client.post(url, json=body)
            return str(laptop.model()["champion"])

        until(lambda: ask() == version, 120)
    until(lambda: laptop.model()["phase"] == "Idle", 60)
    assert version > before
    assert version not in laptop.model().get("quarantine", {})
    assert json.loads(laptop.knoll("dlq", "list", "-o", "json"))["letters"] == []


@contextmanager
def asking(ask: Callable[[], int]) -> Iterator[list[int]]:
    """The answers to a question that is asked again and again."""
    answers: list[int] = []
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(0.1):
            answers.append(ask())

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(go_on)
        try:
            yield answers
        finally:
            is_over.set()
    asked.result()


@contextmanager
def well(laptop: Laptop, folder: Path) -> Iterator[None]:
    """Meanwhile platform and predictor answer their probes, and a user gets answers, though perhaps later.
    A probe waits a second, and as a kubelet does it gives up after three in a row without an answer."""
    assert laptop.predict("digits", [picture(folder, "7")]).status_code == 200
    (predictor,) = laptop.children(f"models/digits/{laptop.model()['champion']}/")
    (own,) = listeners(predictor)
    settings = laptop.platform.settings

    def probe(url: str) -> int:
        try:
            return httpx.get(url, timeout=1, headers={"x-knoll-token": settings.token}).status_code
        except httpx.TimeoutException:
            return 0

    with (
        asking(lambda: probe(f"{settings.url}/healthz")) as platform,
        asking(lambda: probe(f"http://127.0.0.1:{own.port}/v2/health/live")) as predictors,
        asking(lambda: laptop.predict("digits", [picture(folder, "7")]).status_code) as user,
    ):
        yield
        laptop.until(lambda: 200 in platform and 200 in predictors and 200 in user, 60)
    assert set(user) == {200}
    for probes in (platform, predictors):
        assert set(probes) <= {0, 200}
        assert not any(three == (0, 0, 0) for three in zip(probes, probes[1:], probes[2:], strict=False))


@pytest.mark.parametrize("kind", BODIES)
def test_under_heavy_requests_the_platform_is_well(served: tuple[Laptop, Path], kind: str) -> None:
    """Six at once. Each is answered, or refused by name."""
    laptop, folder = served
    url, body = f"{laptop.platform.settings.url}/v1/models/digits:predict", BODIES[kind]()
    with well(laptop, folder), ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: httpx.post(url, content=body, timeout=120), range(6)))
    assert {one.status_code for one in answers} <= {200, 400, 503}
    assert all(one.status_code == 200 or one.json()["error"] for one in answers)


def test_under_slow_heads_the_platform_is_well(served: tuple[Laptop, Path]) -> None:
    laptop, folder = served
    port = httpx.URL(laptop.platform.settings.url).port
    slow = [socket.create_connection(("127.0.0.1", port or 0), timeout=30) for _ in range(200)]
    with well(laptop, folder):
        for one in slow:
            one.sendall(b"POST /v1/models/digits:predict HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: ")
        assert all(one.recv(100).startswith(b"HTTP/1.1 408") for one in slow)
    for one in slow:
        one.close()


def declare(laptop: Laptop, name: str, when: str) -> None:
    """A Model that learns for a moment."""
    spec = {
        "family": "image-classifier",
        "dataset": {"uri": f"s3://datasets/{name}/", "landed": {"when": when}},
        "training": {"config": {"epochs": 1}, "concurrency": "Queue"},
        "rollout": QUICK,
    }
    head = {"apiVersion": "knoll.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}}
    file = laptop.home / f"{name}.json"
    file.write_text(json.dumps({**head, "spec": spec}))
    laptop.knoll("apply", "-f", str(file))


def test_archives_that_attack_are_rejected_by_name(served: tuple[Laptop, Path], until: Until) -> None:
    """Each is a dataset of its own: a bomb, very many members, a way out, another archive, a name that
    forges a line."""
    laptop, _ = served
    declare(laptop, "archives", "object")
    picture = odd_pngs()[0]
    sent = {
        "bomb": (archive({"a/x.png": bytes(2**30)}), "times its size"),
        "tiny": (archive({f"{'ab'[n % 2]}/{n:06}.png": b"" for n in range(30_000)}), "it is empty"),
        "slip": (archive({"../../../tmp/slip/a.png": picture}), "leads out of the archive"),
        "nested": (archive({"a/b.zip": archive({"a/1.png": picture})}), "holds another archive"),
        "\x1b[2Jforged\n": (archive({"a\x1b[2J/x\nSucceeded.txt": b"x"}), r"\x1b[2J"),
    }
    for name, (body, _) in sent.items():
        laptop.platform.store.put(f"s3://datasets/archives/{name}.zip", body)

    def reasons() -> list[str]:
        runs = read_runs(laptop.platform, "archives", 20)
        return [one.reason for one in runs if one.state == "Rejected"]

    until(lambda: len(reasons()) == len(sent), 300)
    for _, told in sent.values():
        assert any(told in one for one in reasons()), (told, reasons())
    shown = laptop.knoll("runs", "archives") + laptop.knoll("runs", "logs", "archives")
    assert "\x1b" not in shown
    assert not Path("/tmp/slip").exists()


def test_data_as_people_have_it_is_learnt_or_refused_with_what_helps(
    served: tuple[Laptop, Path], until: Until
) -> None:
    """Names of cameras, folders of Jupyter, an archive of Windows, large photographs, sessions below
    classes."""
    laptop, _ = served
    tall, wide = bars("tall", (24, 24), "PNG"), bars("wide", (24, 24), "PNG")
    some = {"tall/1.png": tall, "tall/2.png": tall, "wide/1.png": wide, "wide/2.png": wide}
    photographs = {
        f"{label}/{n}.jpg": bars(label, (800, 600), "JPEG") for label in ("tall", "wide") for n in "12"
    }
    sent: dict[str, tuple[dict[str, bytes], str]] = {
        "camera": ({key.replace("/", "/_MG_000"): body for key, body in some.items()}, "tall (2), wide (2)"),
        "jupyter": (
            some | {"tall/.ipynb_checkpoints/1-checkpoint.png": wide},
            "skipped 1 file, in a hidden folder",
        ),
        "windows": (
            {"d.zip": archive({key.replace("/", "\\"): body for key, body in some.items()})},
            "tall (2), wide (2)",
        ),
        "large": (photographs, "Most pictures have 800×600 pixels. They are learnt at"),
        "sessions": (
            {
                f"{key[:5]}{place}/{key[5:]}": body
                for key, body in some.items()
                for place in ("indoor", "outdoor")
            },
            "did you mean the classes tall, wide, or the classes indoor, outdoor?",
        ),
    }
    for name, (files, _) in sent.items():
        declare(laptop, name, "marker")
        for key, body in files.items():
            laptop.platform.store.put(f"s3://datasets/{name}/{key}", body)
        laptop.platform.store.put(f"s3://datasets/{name}/_SUCCESS", b"")

    def states() -> dict[str, list[str]]:
        return {name: [one.state for one in read_runs(laptop.platform, name, 5)] for name in sent}

    right = {name: ["Rejected" if name == "sessions" else "Succeeded"] for name in sent}
    until(lambda: states() == right, 300)
    for name, (_, told) in sent.items():
        assert told in laptop.knoll("runs", "logs", name), name

"""No request takes so much memory that a predictor is killed."""

import base64
import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from knoll.errors import InvalidInstance, Unavailable
from knoll.predict import memory_budget
from knoll.predict.memory_budget import MemoryBudget, share
from knoll.predict.memory_limit import UNLIMITED, memory_limit, resident
from knoll.quantities import PREDICTOR_RESOURCES, parse_quantity

LIMIT = int(parse_quantity(PREDICTOR_RESOURCES["memory"]))
MIB = 2**20


def photo(width: int, height: int, mode: str = "RGB", kind: str = "JPEG", **options: Any) -> bytes:
    """A request with a picture."""
    body, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new(mode, (width, height), 9).save(body, kind, exif=exif.tobytes(), **options)
    return json.dumps({"instances": [{"b64": base64.b64encode(body.getvalue()).decode()}]}).encode()


def most_memory(process: int) -> int:
    """The most bytes that a process has had at a time."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("only Linux tells the peak of another process")
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_a_default_predictor_reads_a_phones_photo_and_refuses_what_would_kill_it(
    start: Callable[..., Any],
    files_of: Callable[..., dict[str, bytes]],
    classifier: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Photos of 12 million pixels are answered, eight at once, too. Larger ones are refused with a 4xx that
    names the number. The process stays within the memory of its Pod."""
    monkeypatch.setenv("KNOLL_MEMORY", str(LIMIT))
    predictor = start("shade", files_of(classifier))
    assert predictor.wait_ready("/v2/models/shade/ready"), predictor.stop()

    def ask(body: bytes) -> httpx.Response:
        url = predictor.url + "/v1/models/shade:predict"
        return httpx.post(url, content=body, timeout=60, trust_env=False)

    phone = photo(4000, 3000)
    assert ask(phone).status_code == 200, "a photo of 12 million pixels"
    refused = ask(photo(10_000, 10_000, "L"))
    assert (refused.status_code, "50,000,000" in refused.json()["error"]) == (400, True)
    refused = ask(photo(7000, 6000, "RGBA", "PNG", compress_level=1))
    assert refused.status_code == 400
    assert "this takes 330Mi of memory" in refused.json()["error"]
    assert "spec.serving.resources.memory" in refused.json()["error"]
    refused = ask(photo(1, 30_000_000, "L", "PNG", compress_level=1))
    assert (refused.status_code, "of memory" in refused.json()["error"]) == (400, True)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [phone, photo(4000, 3000, "CMYK", progressive=True)] * 4))
    assert {one.status_code for one in answers} <= {200, 503}
    assert all(one.headers["retry-after"] for one in answers if one.status_code == 503)
    assert ask(phone).status_code == 200, "all memory has been given back"
    assert predictor.process.poll() is None
    assert most_memory(predictor.process.pid) < LIMIT


@pytest.mark.parametrize(
    ("lines", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "536870912\n"}, 2**29),
        ("0::/\n", {"memory.max": "max\n"}, UNLIMITED),
        ("0::/pod/box\n", {"pod/box/memory.max": "max", "pod/memory.max": "700", "memory.max": "900"}, 700),
        ("5:cpu,memory:/box\n1:pids:/\n", {"memory/box/memory.limit_in_bytes": "800"}, 800),
        ("5:memory:/of/the/host\n", {"memory/memory.limit_in_bytes": "800"}, 800),
        ("5:memory:/\n0::/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, UNLIMITED),
        ("0::/../..\n", {}, UNLIMITED),
        ("", {}, UNLIMITED),
    ],
)
def test_the_limit_is_the_least_of_all_control_groups(
    tmp_path: Path, lines: str, files: dict[str, str], limit: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "process").write_text(lines)
    assert memory_limit(tmp_path, tmp_path / "process") == limit


def test_a_machine_without_control_groups_has_a_stated_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path, tmp_path / "nothing") == UNLIMITED
    assert resident() > MIB


def test_a_default_predictor_holds_the_largest_body_and_a_photo() -> None:
    """32 MiB of body, seven eighths of the share; and the 137 MiB of a progressive JPEG in CMYK."""
    shares = share(LIMIT, 140 * MIB, 128 * MIB)
    assert shares.bodies * 7 // 8 >= 32 * MIB
    assert shares.work >= 145 * MIB
    assert 3 * shares.bodies + shares.work + 140 * MIB < LIMIT
    assert share(2**34, 140 * MIB, 128 * MIB).bodies == 128 * MIB
    assert share(100 * MIB, 140 * MIB, 128 * MIB).work > 0


def test_what_never_fits_is_refused_and_what_does_not_fit_now_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MemoryBudget(10 * MIB)
    with pytest.raises(InvalidInstance, match="takes 11Mi of memory, and requests may take 10Mi"):
        budget.take(11 * MIB, lambda: None)
    budget.take(6 * MIB, lambda: None)
    looks: list[int] = []

    def give_at_the_second_look() -> None:
        looks.append(1)
        if len(looks) == 2:
            threading.Thread(target=budget.give, args=(6 * MIB,)).start()

    budget.take(7 * MIB, give_at_the_second_look)
    assert (budget.held, len(looks) >= 2) == (7 * MIB, True)
    monkeypatch.setattr(memory_budget, "_PATIENCE", 0.0)
    with pytest.raises(Unavailable, match="other requests take"):
        budget.take(4 * MIB, lambda: None)
    budget.give(7 * MIB)
    assert budget.held == 0


def test_small_things_never_wait() -> None:
    budget = MemoryBudget(2 * MIB)
    budget.take(2 * MIB, lambda: None)
    budget.take(MIB, lambda: None)
    budget.give(MIB)
    budget.give(2 * MIB)
    assert budget.held == 0

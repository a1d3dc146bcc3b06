"""Who looks after the S3 server: a full disk, a server that refuses, and one that has ended."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from knoll.errors import QuotaExceeded, StoreUnavailable, Unavailable
from knoll.laptop import disk
from knoll.laptop.disk import Space, check_room
from knoll.laptop.keeper import Keeper
from knoll.laptop.locks import LockHeld


@dataclass
class World:
    """A server and its disk. While `broken`, the server takes no writes; a start mends that."""

    free: int = 10_000
    broken: bool = False
    code: int | None = None
    cures: bool = True
    now: float = 0.0
    starts: int = 0
    told: str = ""  # the fault during the last start
    writes: int = 0
    hangs: float = 0.0
    has_room: bool = True
    is_held: bool = False
    seen: list[str] = field(default_factory=list)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(
            self, lambda: Space(Path("/home"), self.free, 1_000), self.write, lambda: self.now
        )

    def poll(self) -> int | None:
        return self.code

    def restart(self) -> None:
        if self.is_held:
            raise LockHeld("the old store has not ended yet")
        self.starts += 1
        self.told = self.keeper.fault
        if not self.cures:
            raise Unavailable("SeaweedFS ended with exit code 1")
        self.broken, self.code = False, None

    def write(self) -> None:
        self.writes += 1
        for _ in range(int(self.hangs)):
            self.now += 1
            self.seen.append(self.keeper.fault)
        if self.broken:
            raise StoreUnavailable("it answered 500")
        if not self.has_room:
            raise QuotaExceeded("the store has no free volume")

    def look(self) -> str:
        self.now += 2
        return self.keeper.look()


def test_a_server_that_is_well_is_written_to_now_and_then() -> None:
    """In ten minutes some sixty writes, and no start."""
    world = World()
    assert {world.look() for _ in range(300)} == {""}
    assert 45 < world.writes < 65
    assert world.starts == 0


def test_a_full_disk_is_told_and_when_there_is_room_the_server_is_started_again() -> None:
    """The fault says how many bytes are free and needed; nothing is started while the disk is full."""
    world = World(free=12)
    for _ in range(5):
        assert "12 bytes are free, knoll needs 1,000" in world.look()
    assert world.starts == 0
    world.free = 10_000
    assert world.look()
    assert world.look() == ""
    assert world.starts == 1


def test_a_disk_that_fills_up_is_told_at_once_whatever_the_keeper_waits_for() -> None:
    """A write to a store that hangs, and a start of it, may take a minute."""
    world = World()
    world.look()
    world.free = 12
    assert "12 bytes are free" in world.keeper.fault


def test_a_server_that_is_started_again_is_not_well_meanwhile() -> None:
    world = World(broken=True)
    while not world.starts:
        world.look()
    assert "the store takes no writes" in world.told


def test_a_server_that_refuses_three_writes_in_a_row_is_started_again() -> None:
    """One failed write is no reason."""
    world = World(broken=True)
    world.look()
    assert world.starts == 0
    while not world.starts:
        assert world.writes < 10
        world.look()
    assert world.writes == 3
    assert world.look() == ""


def test_a_server_that_hangs_is_told_while_it_is_asked_and_then_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever asks meanwhile reads it after five seconds, and the log has it when the first write is given
    up."""
    world = World(broken=True, hangs=10)
    assert "the store does not answer" in world.look()
    assert world.seen[:4] == [""] * 4
    assert world.seen[5] == "the store has not answered for 6 seconds"
    assert [one.getMessage()[:27] for one in caplog.records] == ["the store does not answer: "]
    assert world.starts == 0
    world.look()
    world.look()
    assert world.starts == 1
    world.hangs = 0
    assert world.look() == ""


def test_a_server_that_has_no_room_for_another_bucket_is_told_and_left_alone() -> None:
    """The fault stays until there is room. A start would not help, so there is none."""
    world = World(has_room=False)
    assert {world.look() for _ in range(100)} == {"the store has no free volume"}
    assert world.starts == 0
    world.has_room = True
    assert "" in {world.look() for _ in range(6)}


def test_a_server_that_does_not_start_any_more_is_given_up() -> None:
    """It has ended, and some starts in a row did not help."""
    world = World(code=1, cures=False)
    while not world.keeper.has_given_up:
        assert world.starts < 10
        assert "ended by itself" in world.look()


def test_a_server_whose_predecessor_does_not_end_is_not_given_up() -> None:
    """It is started as soon as it can be."""
    world = World(code=1, is_held=True)
    for _ in range(20):
        assert "the old store has not ended yet" in world.look()
    assert not world.keeper.has_given_up
    world.is_held = False
    world.look()
    assert (world.starts, world.look()) == (1, "")


def test_a_platform_does_not_start_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it make its folder there. The error says how much is free and how much is needed."""
    check_room(tmp_path / "home")
    monkeypatch.setattr(disk, "_LEAST", 2**60)
    with pytest.raises(
        Unavailable, match=r"disk of .*home is full: [\d,]+ bytes are free, knoll needs"
    ) as caught:
        check_room(tmp_path / "home")
    assert "make room" in caught.value.fix
    assert not (tmp_path / "home").exists()

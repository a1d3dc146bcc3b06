"""Several processes train one model: real torchrun, real exchanges, on the CPU."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from knoll.errors import Rejected
from knoll.trainer.launch import on_one_node
from knoll.trainer.ranks import Ranks

SCRIPT = Path(__file__).parent / "ranks_script.py"


def run(folder: Path, what: str, processes: int) -> subprocess.CompletedProcess[str]:
    rank = [str(SCRIPT), str(folder), what]
    with tempfile.TemporaryDirectory() as meeting:
        command = on_one_node(processes, meeting, rank) if processes > 1 else [sys.executable, *rank]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one process and two have written to."""
    place = tmp_path_factory.mktemp("ranks")
    for what, processes in (("line", 1), ("differing,line,dcgan,ill", 2)):
        ended = run(place, what, processes)
        assert ended.returncode == 0, ended.stderr
    return place


def weights(folder: Path, what: str, rank: int, world: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / f"{what}-{rank}-of-{world}.safetensors")
    return found


def test_two_processes_learn_what_one_alone_learns(folder: Path) -> None:
    """Weights, mean losses and held-out losses agree up to rounding, also if shares differ in size."""
    alone, together = weights(folder, "line", 0, 1), weights(folder, "line", 0, 2)
    assert alone["held out"].shape == (12, 1)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("what", ["line", "dcgan"])
def test_every_process_ends_with_the_same_weights_to_the_last_bit(folder: Path, what: str) -> None:
    """With one optimiser and with two; the statistics of batch norm and the held-out losses agree, too."""
    first, second = (weights(folder, what, rank, 2) for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_loss_that_is_not_finite_in_one_process_ends_all(folder: Path) -> None:
    """Only one share has the bad example."""
    told = {(folder / f"ill-{rank}-of-2.txt").read_text() for rank in (0, 1)}
    assert len(told) == 1
    assert "the line loss is nan" in told.pop()


def test_processes_that_would_learn_from_other_files_end(folder: Path) -> None:
    """All of them do, and say why."""
    for rank in (0, 1):
        told = (folder / f"differing-{rank}-of-2.txt").read_text()
        assert told == "the processes of the training differ: some have other files"


def test_no_process_waits_for_one_that_has_failed(tmp_path: Path) -> None:
    """The others end at once, and so does torchrun."""
    ended = run(tmp_path, "deserted", 2)
    assert ended.returncode != 0
    assert "a fault of one process" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_shares_are_the_whole_batch_and_a_batch_that_is_too_small_is_refused() -> None:
    """Each row is in one share, and no share has a single row."""
    rows, ranks = torch.arange(11), [Ranks(rank, 3) for rank in range(3)]
    shares = [one.share(rows) for one in ranks]
    assert sorted(torch.cat(shares).tolist()) == rows.tolist()
    assert [len(share) for share in shares] == [4, 4, 3]
    ranks[0].check(6)
    with pytest.raises(Rejected, match="batch of 5 examples is too small for 3 processes") as caught:
        ranks[0].check(5)
    assert "batchSize" in caught.value.fix

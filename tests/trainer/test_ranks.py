"""Several processes train one model: real torchrun, real exchanges, on the CPU."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from knoll.errors import Rejected
from knoll.trainer.launch import on_one_node
from knoll.trainer.ranks import ALONE, Ranks
from trainer.ranks_script import train

SCRIPT = Path(__file__).parent / "ranks_script.py"
Ended = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process, the tests' own, and two have written to."""
    place = tmp_path_factory.mktemp("ranks")
    train(place, "line", ALONE)
    return place


@pytest.fixture(scope="module", autouse=True)
def ended(folder: Path) -> Ended:
    """How the two processes have ended: the last training is deserted by one of them."""
    shards = "shards of line,shards of dcgan,from shards,to shards"
    rank = [str(SCRIPT), str(folder), f"differing,line,dcgan,{shards},ill,deserted"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    with tempfile.TemporaryDirectory() as meeting:
        command = on_one_node(2, meeting, rank)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    print(done.stderr)
    return done


def weights(folder: Path, what: str, rank: int, world: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / f"{what}-{rank}-of-{world}.safetensors")
    return found


def test_two_processes_learn_what_one_alone_learns(folder: Path) -> None:
    """Weights, mean losses and held-out losses agree up to rounding, also if shares differ in size."""
    alone, together = weights(folder, "line", 0, 1), weights(folder, "line", 0, 2)
    assert alone.pop("kept") == together.pop("kept") == 8
    assert alone["held out"].shape == (12, 1)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("what", ["line", "dcgan"])
def test_processes_that_share_out_learn_the_same_to_the_last_bit(folder: Path, what: str) -> None:
    """With one optimiser and with two; together they keep what each would keep alone."""
    kept = 0
    for rank in (0, 1):
        whole, shared = (weights(folder, how, rank, 2) for how in (what, f"shards of {what}"))
        kept += int(shared.pop("kept", torch.tensor(4)))
        whole.pop("kept", None)
        assert whole.keys() == shared.keys()
        assert all(torch.equal(whole[name], shared[name]) for name in whole)
    assert kept == 8


@pytest.mark.parametrize("way", ["from shards", "to shards"])
def test_a_training_goes_on_with_other_shards_from_its_state(folder: Path, way: str) -> None:
    for rank in (0, 1):
        undisturbed, resumed = (weights(folder, what, rank, 2) for what in ("line", way))
        for name in undisturbed.keys() - {"kept"}:
            assert torch.equal(undisturbed[name], resumed[name]), name


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


def test_no_process_waits_for_one_that_has_failed(folder: Path, ended: Ended) -> None:
    """The others end at once, and so does torchrun."""
    assert ended.returncode != 0
    assert "a fault of one process" in ended.stderr
    assert not list(folder.glob("deserted*"))


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

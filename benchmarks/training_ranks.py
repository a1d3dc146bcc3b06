"""The picture CNN in processes of its own: how long they train, without their start.

`python training_ranks.py EXAMPLES THREADS` is one of them, below torchrun.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from knoll.trainer.launch import on_one_node

__all__ = ["seconds_of_ranks"]

_TOLD = "seconds: "


def seconds_of_ranks(processes: int, threads: int, examples: int) -> float:
    """The seconds that the first process has trained, with so many threads in each."""
    with tempfile.TemporaryDirectory() as folder:
        rank = [str(Path(__file__)), str(examples), str(threads)]
        command = on_one_node(processes, folder, rank) if processes > 1 else [sys.executable, *rank]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line for line in ended.stdout.splitlines() if line.startswith(_TOLD)]
    if not found:
        raise RuntimeError(f"no process has told its seconds: {ended.stderr[-2000:]}")
    return float(found[0].removeprefix(_TOLD))


def _train(examples: int, threads: int) -> None:
    import torch
    from training import cases

    from knoll.settings import read_settings
    from knoll.trainer.loop import train_networks
    from knoll.trainer.ranks import join_ranks

    torch.set_num_threads(threads)
    case, *_ = cases(examples)
    with join_ranks(torch.device("cpu"), read_settings().meeting, 600) as ranks:
        began = perf_counter()
        train_networks(
            *(case.family, case.examples, case.config),
            device=torch.device("cpu"),
            report=lambda *_: None,
            say=lambda _: None,
            ranks=ranks,
        )
        if ranks.is_first:
            print(f"{_TOLD}{perf_counter() - began}", flush=True)


if __name__ == "__main__":
    _train(int(sys.argv[1]), int(sys.argv[2]))

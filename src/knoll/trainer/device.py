"""The device of a training: what it can do, and how networks and optimisers make use of it."""

import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from knoll.families.base import Batch, Examples, Family
from knoll.trainer.acceleration import Acceleration, ComputeFacts

__all__ = [
    "choose_device",
    "computing",
    "device_memory",
    "facts_of",
    "fuse",
    "in_layout",
    "lay_out",
    "take_over_optimizer",
]

_DIMENSIONS_OF_PICTURES = 4
_FUSED = (Adam, AdamW, SGD)
_OF_DEVICE = ("fused", "foreach", "capturable")  # how an optimiser steps, not what it has learnt


def choose_device(wanted: str) -> torch.device:
    """The device of that name. If the name is empty, CUDA if there is one, else the CPU."""
    return torch.device(wanted or ("cuda" if torch.cuda.is_available() else "cpu"))


def device_memory(device: torch.device) -> int:
    """The bytes that a GPU has, also those that are taken; 0 if nobody says how many."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else 0


def facts_of(device: torch.device, family: Family[Any], examples: Examples, steps: int) -> ComputeFacts:
    """What the rule of accelerations looks at."""
    is_gpu = device.type == "cuda"
    return ComputeFacts(
        device.type,
        torch.cuda.get_device_capability(device) if is_gpu else (0, 0),
        is_gpu and torch.cuda.is_bf16_supported(including_emulation=False),
        family.precisions,
        any(len(one.shape) == _DIMENSIONS_OF_PICTURES for one in examples.train),
        steps,
        _no_compiler(device),
    )


def _no_compiler(device: torch.device) -> str:
    """Why torch cannot compile for the device; "" if it can."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "there is no C++ compiler; add g++ to the image of the trainer"
    if device.type == "cuda" and find_spec("triton") is None:
        return "there is no Triton; install the package triton"
    return ""


@contextmanager
def computing(device: torch.device, how: Acceleration) -> Iterator[None]:
    """In this block a GPU computes in TF32, or does not; and a first step may be skipped."""
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with warnings.catch_warnings():
        if how.scales:
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        try:
            if device.type == "cuda":
                torch.set_float32_matmul_precision("high" if how.tf32 else "highest")
                torch.backends.cudnn.allow_tf32 = how.tf32
            yield
        finally:
            torch.set_float32_matmul_precision(products)
            torch.backends.cudnn.allow_tf32 = convolutions


def lay_out(networks: nn.Module, how: Acceleration) -> None:
    """Put the weights of convolutions in the order of their pictures, or in the usual one."""
    order = torch.channels_last if how.channels_last else torch.contiguous_format
    for one in networks.parameters():
        if one.dim() == _DIMENSIONS_OF_PICTURES:
            one.data = one.data.contiguous(memory_format=order)


def in_layout(batch: Batch, how: Acceleration) -> Batch:
    """The batch with its pictures (B, C, H, W) in that order; equal in values."""
    if not how.channels_last:
        return batch
    return tuple(
        one.to(memory_format=torch.channels_last) if one.dim() == _DIMENSIONS_OF_PICTURES else one
        for one in batch
    )


def fuse(optimizer: Optimizer, how: Acceleration) -> None:
    """Let a new optimiser step in one kernel, if it has one."""
    if how.fused and isinstance(optimizer, _FUSED):
        for fields in (optimizer.defaults, *optimizer.param_groups):
            fields |= {"fused": True, "foreach": False}


def take_over_optimizer(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Go on from the state that another optimiser has saved, perhaps on another device. How this one steps
    stays, and so does the order of its numbers in memory."""
    groups = [
        {**theirs, **{name: ours[name] for name in _OF_DEVICE if name in ours}}
        for theirs, ours in zip(saved["param_groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({**saved, "param_groups": groups})
    for weights, state in optimizer.state.items():
        for name, one in state.items():
            if isinstance(one, torch.Tensor) and one.shape == weights.shape:
                state[name] = torch.empty_like(weights, dtype=one.dtype).copy_(one)

"""How a training computes: one rule chooses it by device, family, length of the training, and wishes.

Nothing here needs torch, and nothing acts: `knoll.trainer.device` finds the facts, and does what is chosen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["PLAIN", "WARM_UPS", "Acceleration", "ComputeFacts", "choose"]

WARM_UPS = 3  # steps with batches of one size before one is recorded, as torch's notes on CUDA graphs want it

_UNITS_OF_FP16, _UNITS_OF_BF16 = (7, 0), (8, 0)  # compute capabilities: Volta, Ampere
_ASKED = "the Model asks for it"
_UNMEASURED = "it is on only if a Model asks for it, since nobody knows before whether it saves time"


@dataclass(frozen=True)
class ComputeFacts:
    """What the rule looks at. `device` is its type in torch, `capability` the compute capability of a GPU,
    which may have units for bf16. The family learns in these `precisions` below fp32. A batch may have
    pictures (B, C, H, W). The training has so many `steps`. `no_compiler` says why nothing can be compiled,
    and is empty if it can."""

    device: str
    capability: tuple[int, int] = (0, 0)
    has_bf16: bool = False
    precisions: Sequence[str] = ()
    has_pictures: bool = False
    steps: int = 0
    no_compiler: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether the device is one that CUDA drives."""
        return self.device == "cuda"


@dataclass(frozen=True)
class Acceleration:
    """What is chosen. By the names of the Model's fields, `why` has the reasons, and `refused` why a wish is
    not met. `pinned` is no field of a Model: the memory from which a GPU copies while Python goes on."""

    precision: str = "fp32"
    tf32: bool = False
    channels_last: bool = False
    fused: bool = False
    pinned: bool = False
    compiles: bool = False
    graphs: bool = False
    why: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def scales(self) -> bool:
        """Whether losses are multiplied before gradients are taken, since fp16 has no small numbers."""
        return self.precision == "fp16"

    @property
    def values(self) -> Mapping[str, str | bool]:
        """What is chosen, by the names of the Model's fields."""
        switches = self.tf32, self.channels_last, self.fused, self.pinned, self.compiles, self.graphs
        return {"precision": self.precision, **dict(zip(_SWITCHES, switches, strict=True))}

    def told(self) -> Iterator[tuple[str, str, str]]:
        """Name, choice and reason of what people should know: the precision, what is on, and each wish."""
        for name, value in self.values.items():
            why, said = self.why.get(name, ""), value if isinstance(value, str) else _WORDS[value]
            if name in self.refused:
                yield name, said, f"the Model asks for another choice, but {self.refused[name]}"
            elif value or why == _ASKED:
                yield name, said, why


PLAIN = Acceleration(why={"precision": "nothing else is asked for"})

_SWITCHES = ("tf32", "channelsLast", "fused", "pinned", "compile", "cudaGraphs")
_WORDS = {True: "on", False: "off"}


class _Switch(NamedTuple):
    """Whether the rule has it on, and why. `fault` says why it cannot be on; "" if it can."""

    is_on: bool
    why: str
    fault: str = ""


def choose(facts: ComputeFacts, wishes: Mapping[str, Any]) -> Acceleration:
    """How a training computes. `wishes` are the fields of `spec.training.accelerate` that the Model gives.

    What a Model asks for is done where it can be; `refused` says where it cannot. The rest:

    - precision: on a GPU with units for bf16 (compute capability 8.0 and more) that, if the family learns in
      it; on an older one with units for fp16 (7.0 and more) fp16 likewise; else fp32, as on a CPU.
    - tf32: on a GPU from 8.0 on, if the family learns in bf16, which has still fewer digits, and unless the
      Model asks for fp32.
    - channelsLast: for pictures on a GPU in less than fp32, because its units take pictures so.
    - fused, pinned: on a GPU.
    - compile, cudaGraphs: never.

    It cannot be done: fp16 on what is no GPU, bf16 and tf32 on an older one, and a precision in which the
    family does not learn; channelsLast without pictures; compile without a compiler; cudaGraphs on what is no
    GPU, or if the training ends before a step is recorded.
    """
    asked = wishes.get("precision")
    fault = _fault_of_precision(asked, facts) if asked else ""
    precision, why = (asked, _ASKED) if asked and not fault else _precision(facts)
    refused, reasons = {"precision": fault} if fault else {}, {"precision": why}
    on: list[bool] = []
    for name, rule in zip(_SWITCHES, _switches(facts, precision, why == _ASKED), strict=True):
        wish = wishes.get(name)
        if wish and rule.fault:
            refused[name] = rule.fault
            wish = None
        on.append(rule.is_on if wish is None else bool(wish))
        reasons[name] = rule.why if wish is None else _ASKED
    tf32, channels_last, fused, pinned, compiles, graphs = on
    return Acceleration(
        precision, tf32, channels_last, fused, pinned, compiles, graphs, why=reasons, refused=refused
    )


def _fault_of_precision(asked: str, facts: ComputeFacts) -> str:
    """Why the training cannot compute in it; "" if it can."""
    if asked == "fp32":
        return ""
    if asked not in facts.precisions:
        return f"the family does not learn in {asked}"
    if asked == "fp16" and not facts.is_gpu:
        return f"a training in fp16 needs a GPU, and the device is {facts.device}"
    if facts.is_gpu and asked == "bf16" and not facts.has_bf16:
        return "this GPU has no units for bf16"
    return "" if facts.device in ("cpu", "cuda") else f"this is not known to work on {facts.device}"


def _precision(facts: ComputeFacts) -> tuple[str, str]:
    """What the rule chooses, and why."""
    if not facts.is_gpu:
        return "fp32", "what is learnt does not depend on the CPU of the node"
    if facts.has_bf16 and "bf16" in facts.precisions:
        return "bf16", "the GPU has units for it, and its range is that of fp32"
    if not facts.has_bf16 and facts.capability >= _UNITS_OF_FP16 and "fp16" in facts.precisions:
        return "fp16", "the GPU has units for it and none for bf16; losses are scaled"
    return "fp32", "the GPU has no units for a lower one in which the family learns"


def _switches(facts: ComputeFacts, precision: str, is_asked: bool) -> tuple[_Switch, ...]:
    """Those of `_SWITCHES`, with this precision, which the Model may ask for."""
    gpu, known = facts.is_gpu, facts.device in ("cpu", "cuda")
    has_tf32 = gpu and facts.capability >= _UNITS_OF_BF16
    elsewhere = "" if known else f"this is not known to work on {facts.device}"
    no_gpu = "" if gpu else f"it needs a GPU, and the device is {facts.device}"
    too_short = f"the training has {facts.steps} steps, and {WARM_UPS} come before one is recorded"
    takes_tf32 = has_tf32 and "bf16" in facts.precisions and not (is_asked and precision == "fp32")
    return (
        _Switch(
            takes_tf32,
            "the family learns with fewer digits, too" if takes_tf32 else "all digits count",
            no_gpu or ("" if has_tf32 else "this GPU has no units for it"),
        ),
        _Switch(
            gpu and facts.has_pictures and precision != "fp32",
            f"the GPU's units for {precision} take pictures so",
            "" if facts.has_pictures else "no example is a picture",
        ),
        _Switch(gpu, "it starts fewer kernels", elsewhere),
        _Switch(gpu, "the GPU copies from there while Python goes on", no_gpu),
        _Switch(False, _UNMEASURED, elsewhere or facts.no_compiler),
        _Switch(False, _UNMEASURED, no_gpu or (too_short if facts.steps <= WARM_UPS else "")),
    )

"""What a declaration may say and hardly means, as warnings.

Each is a value that the rest of the platform can work with. So it is no fault.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from knoll.data_kinds import is_archive, is_picture
from knoll.errors import InvalidModel
from knoll.families import find_declaration
from knoll.models import Model
from knoll.models.units import as_duration
from knoll.names import overlap
from knoll.quantities import GPU, in_words, memory_of
from knoll.views.gates import doubts_of_gate

__all__ = ["doubts", "overlaps"]

_DAY = 86_400.0
_SHORTEST_TRAINING, _SHORTEST_START, _SHORTEST_QUIET = 10.0, 5.0, 1.0  # seconds
_LONGEST = 30 * _DAY
_MOST_REQUESTS = 1_000_000
_BYTES = 4  # of a weight
_COPIES = 4  # of the weights in training, at least: themselves, gradients, two means of the optimiser
_OF_GPUS = "fp16"
_RULES = {
    "marker": "marker",
    "manifest": "manifest",
    "quiet": "quiet",
    "max_wait": "quiet",
    "max_objects": "quiet",
}


def doubts(model: Model) -> Iterator[str]:
    """What of one Model is hardly meant, in words that begin with its name."""
    of_parts = (
        _of_landing,
        _of_memory,
        _of_time,
        _of_device,
        _of_shards,
        _of_evidence,
        _of_calls,
        doubts_of_gate,
    )
    for words in (one for part in of_parts for one in part(model)):
        yield f"{model.name}: {words}"


def overlaps(declared: Iterable[Model], stored: Iterable[Model]) -> Iterator[str]:
    """Pairs of Models where one reads data of the other, each pair once. The declared ones stand for stored
    ones of the same name."""
    ours = {one.name: one for one in declared}
    left = {one.name: one for one in stored} | ours
    for model in ours.values():
        del left[model.name]
        for other in left.values():
            mine, theirs = model.dataset.uri, other.dataset.uri
            if overlap(mine, theirs):
                yield (
                    f"{model.name} and {other.name} share data: {mine} and {theirs} overlap, so an upload to "
                    "one changes the other"
                )


def _of_landing(model: Model) -> Iterator[str]:
    landed = model.dataset.landed
    for name, field in type(landed).model_fields.items():
        rule = _RULES.get(name, landed.when)
        if name in landed.model_fields_set and rule != landed.when:
            yield (
                f"spec.dataset.landed.{field.alias} is for the rule {rule}, and the rule is {landed.when}: "
                "the field does nothing"
            )
    if landed.when == "quiet" and 0 < landed.max_wait < landed.quiet:
        yield (
            f"spec.dataset.landed.maxWait is {as_duration(landed.max_wait)}, less than quiet, "
            f"{as_duration(landed.quiet)}: the data lands before that time is over"
        )
    if is_picture(landed.last) or is_archive(landed.last):
        yield f"spec.dataset.landed.{landed.when} is {landed.last}: a file of that name is never data"


def _of_memory(model: Model) -> Iterator[str]:
    """A network whose weights alone do not fit. On a GPU they need not fit into the memory of the Pod."""
    training, declared = model.training, find_declaration(model.family)
    if declared is None or GPU in training.resources:
        return
    with suppress(InvalidModel):  # that is told as a fault
        weights = declared.least_weights(declared.configure(training.config))
        needed, there = _COPIES * _BYTES * weights, memory_of(training.resources)
        if needed > there // training.processes_per_node:
            yield (
                f"the network of spec.training.config has at least {weights:,} weights, which take "
                f"{in_words(needed)} of memory in each process that learns them, and "
                f"spec.training.resources.memory is {in_words(there)}: a run will be rejected"
            )


def _of_calls(model: Model) -> Iterator[str]:
    """A router takes REST alone, and calls of gRPC go past it."""
    rollout = model.rollout
    past = {
        "sticky": rollout.sticky is not None,
        "compare": rollout.compare > 0,
        "mode: shadow": rollout.mode == "shadow",
    }
    if model.serving.grpc and (named := [name for name, is_asked in past.items() if is_asked]):
        yield (
            "spec.serving.grpc: on a cluster, calls of gRPC go past the router, which takes REST alone, so "
            f"{' and '.join(named)} of spec.rollout do nothing for them"
        )


def _of_time(model: Model) -> Iterator[str]:
    landed, rollout = model.dataset.landed, model.rollout
    waits = (landed.quiet, landed.max_wait) if landed.when == "quiet" else (_SHORTEST_QUIET, 0)
    for field, seconds, least in (
        ("training.deadline", model.training.deadline, _SHORTEST_TRAINING),
        ("rollout.progressDeadline", rollout.progress_deadline, _SHORTEST_START),
        ("rollout.bake", rollout.bake, 0),
        ("dataset.landed.quiet", waits[0], _SHORTEST_QUIET),
        ("dataset.landed.maxWait", waits[1], 0),
    ):
        if seconds < least:
            yield f"spec.{field} is {as_duration(seconds)}, which is hardly enough"
        elif seconds > _LONGEST:
            yield f"spec.{field} is {as_duration(seconds)}, which is more than {_LONGEST / _DAY:.0f} days"


def _of_device(model: Model) -> Iterator[str]:
    """A trainer may have a GPU that its Model does not ask for: a laptop's does."""
    asked = model.training.accelerate.given()
    needing = [f"precision {_OF_GPUS}"] if asked.get("precision") == _OF_GPUS else []
    needing += [name for name in ("tf32", "cudaGraphs") if asked.get(name)]
    if needing and GPU not in model.training.resources:
        yield (
            f"spec.training.accelerate asks for {', '.join(needing)}, and spec.training.resources for no "
            f"{GPU}: on a CPU the run does without, and its log says so"
        )


def _of_shards(model: Model) -> Iterator[str]:
    training = model.training
    if training.sharding != "none" and training.nodes * training.processes_per_node == 1:
        yield (
            f"spec.training.sharding is {training.sharding}, and one process trains, which shares with "
            "nobody: raise nodes or processesPerNode"
        )


def _of_evidence(model: Model) -> Iterator[str]:
    wanted = model.rollout.min_requests
    if wanted > _MOST_REQUESTS:
        yield f"spec.rollout.minRequests is {wanted:,}: each step waits until so many requests are answered"

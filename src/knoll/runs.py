"""The run: one training of one dataset with one config, as records in the model bucket.

The record is written once, before the Job is created, and outlives it; the outcome is written once, when the
run has ended. Between the two, the trainer overwrites its progress. Nothing here is ever true because an
event said so.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, GetPydanticSchema, TypeAdapter, ValidationError, with_config

from knoll.errors import Rejected
from knoll.names import digest

__all__ = [
    "Dataset",
    "DatasetObject",
    "Outcome",
    "Progress",
    "Run",
    "dump",
    "load_dataset",
    "load_outcome",
    "load_progress",
    "load_run",
]


_STRICT = ConfigDict(
    strict=True, extra="forbid"
)  # and a Mapping is read as a dict, for which pydantic takes a tenth of the time
_Fields = Annotated[Mapping[str, Any], GetPydanticSchema(lambda _, handler: handler(dict[str, Any]))]
_Texts = Annotated[Mapping[str, str], GetPydanticSchema(lambda _, handler: handler(dict[str, str]))]
_Numbers = Annotated[Mapping[str, float], GetPydanticSchema(lambda _, handler: handler(dict[str, float]))]


@with_config(_STRICT)
@dataclass(frozen=True)
class DatasetObject:
    """One object of a dataset, pinned by its etag; `size` is in bytes, and `sha256` in hex where the user has
    said what it must be."""

    uri: str
    etag: str
    size: int
    sha256: str = ""


@with_config(_STRICT)
@dataclass(frozen=True)
class Dataset:
    """The state of the data under a prefix: what one run trains on. `data_at` is when it came to be: see
    `landed`."""

    model: str
    prefix: str
    objects: tuple[DatasetObject, ...]
    landed_at: str = ""
    data_at: str = ""

    @property
    def digest(self) -> str:
        """Sha256 over the sorted keys and etags: the same data under the same names, whenever it was
        uploaded."""
        return digest(
            part for one in sorted(self.objects, key=lambda one: one.uri) for part in (one.uri, one.etag)
        )


@with_config(_STRICT)
@dataclass(frozen=True)
class Run:
    """What is to be trained, and on what: `resources` are those of one node, which trains in
    `processes_per_node` processes.

    `cause` names the event that brought the data: id, type, subject, time, correlationid. `data_at` is as in
    `Dataset`.
    """

    id: str
    model: str
    family: str
    dataset_digest: str
    dataset_uri: str
    config: _Fields
    created_at: str
    resources: _Fields = field(default_factory=dict)
    deadline: float = 7200.0
    retries: int = 2
    cause: _Texts = field(default_factory=dict)
    nodes: int = 1
    processes_per_node: int = 1
    data_at: str = ""

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.nodes * self.processes_per_node


@with_config(_STRICT)
@dataclass(frozen=True)
class Progress:
    """How far a run is; field names as in Kubeflow's trainerStatus. `state` is what the trainer is doing, in
    a word or two."""

    state: str
    progress_percentage: int
    estimated_remaining_seconds: int | None
    metrics: _Numbers
    updated_at: str


@with_config(_STRICT)
@dataclass(frozen=True)
class Outcome:
    """How a run ended. rejected: its data or config is wrong and stays wrong; failed: it was tried often
    enough, or cancelled; skipped: the Model's concurrency gave its turn to another. With `superseded` its
    data had been replaced before it was trained: when the same data lands again, it has a new run."""

    state: Literal["succeeded", "rejected", "failed", "skipped"]
    ended_at: str
    version: str = ""
    reason: str = ""
    metrics: _Numbers = field(default_factory=dict)
    superseded: bool = False


_Record = TypeVar("_Record")
_READERS: Mapping[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Dataset, Run, Progress, Outcome)
}


def dump(record: Dataset | Run | Progress | Outcome) -> bytes:
    """A record as JSON with sorted keys, so that equal records are equal bytes; a sha256 that nobody has said
    is left out."""
    fields = asdict(record)
    if isinstance(record, Dataset):
        fields["objects"] = [
            {name: value for name, value in one.items() if name != "sha256" or value}
            for one in fields["objects"]
        ]
    return json.dumps(fields, sort_keys=True, indent=1).encode()


def load_dataset(body: bytes) -> Dataset:
    """Read a dataset snapshot. Raises Rejected when it is not one."""
    return _load(Dataset, body, "dataset snapshot")


def load_run(body: bytes) -> Run:
    """Read a run record. Raises Rejected when it is not one."""
    return _load(Run, body, "run record")


def load_progress(body: bytes) -> Progress:
    """Read a progress record. Raises Rejected when it is not one."""
    return _load(Progress, body, "progress record")


def load_outcome(body: bytes) -> Outcome:
    """Read an outcome. Raises Rejected when it is not one."""
    return _load(Outcome, body, "outcome")


def _load(kind: type[_Record], body: bytes, what: str) -> _Record:
    try:
        record: _Record = _READERS[kind].validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Rejected(f"this is no {what}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return record

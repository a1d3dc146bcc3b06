"""The run: one training of one dataset with one config.

Its record is written once, before the Job is created, and outlives it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import with_config

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.models import Model
from knoll.names import RUN_ID, config_digest, join
from knoll.ports import Bucket, ObjectInfo
from knoll.quoting import escaped
from knoll.records.record import LENIENT, Fields, Texts, is_there, put_once
from knoll.records.stamp import Stamped, find_known, is_stamped, stamped_reader

__all__ = [
    "Run",
    "find_run",
    "is_from_before_keys",
    "is_opened",
    "list_runs",
    "load_run",
    "opened_at",
    "read_run",
    "run_uri",
    "runs_uri",
    "why_not_asked",
    "write_run",
]


@with_config(LENIENT)
@dataclass(frozen=True)
class Run(Stamped):
    """What to train, and on what data.

    `resources` are those of one node, which trains in `processes_per_node` processes. `cause` is the event
    that brought the data: id, type, subject, time, correlationid. `data_at` is the time of the data.
    `deadline` is in seconds. `model_uid` and `model_generation` are of the Model that asked for the run, and
    `prefix` is where that Model's data lay; they are empty in records of knoll 0.2. `golden_set` is where the
    files lie that score the version beside the held-out data; "" for none. Every `checkpoint_every` seconds
    the trainer writes a checkpoint, and it keeps the newest `checkpoint_keep`. `most_bad` is the share of
    files that may be bad, and is then left out. `keep` says which weights become the version, best or last.
    The training ends when its held-out loss has not fallen for `patience` epochs; 0 is never. Its processes
    wait `rank_timeout` seconds for each other. `compression` says which graphs are tried in place of the
    exported one, as `CompressionSpec.asked` has it; it is empty for none. `accelerate` says how it computes,
    as far as the Model says it. `sharding` says what the processes share out: none, or optimizer, which is
    what the optimisers keep, with the gradients. `card` and `gate` are those of the Model, as far as given,
    and only for the model card.
    """

    id: str
    model: str
    family: str
    dataset_digest: str
    dataset_uri: str
    config: Fields
    created_at: str
    resources: Fields = field(default_factory=dict)
    deadline: float = 7200.0
    retries: int = 2
    cause: Texts = field(default_factory=dict)
    nodes: int = 1
    processes_per_node: int = 1
    data_at: str = ""
    model_uid: str = ""
    model_generation: int = 0
    prefix: str = ""
    golden_set: str = ""
    checkpoint_every: float = 60.0
    checkpoint_keep: int = 2
    most_bad: float = 0.0
    keep: str = "last"
    patience: int = 0
    rank_timeout: float = 600.0
    compression: Fields = field(default_factory=dict)
    card: Fields = field(default_factory=dict)
    gate: Fields = field(default_factory=dict)
    accelerate: Fields = field(default_factory=dict)
    sharding: str = "none"

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.nodes * self.processes_per_node


load_run = stamped_reader(Run, "run record")


def runs_uri(root: str) -> str:
    """The folder of all run records."""
    return join(root, "runs", "")


def run_uri(root: str, run: str) -> str:
    """URI of the record of a run."""
    return join(root, "runs", f"{run}.json")


def find_run(run: str, bucket: Bucket) -> Run | None:
    """The record of a run; None if there is no such run. Raises Rejected if it is of another run, or has no
    stamp and claims to be of a newer knoll."""
    found = find_known(run_uri(bucket.root, run), load_run, Run, bucket)
    if found and found.id != run:
        raise Rejected(f"the record of run {run} is of another run: {escaped(found.id)[:80]}")
    return found


def read_run(run: str, bucket: Bucket) -> Run:
    """The record of a run. Raises NotFound if there is no such run."""
    found = find_run(run, bucket)
    if found is None:
        raise NotFound(f"run {run} has no record", fix="knoll runs lists all runs")
    return found


def why_not_asked(run: Run, model: Model) -> str:
    """Why the Model does not ask for what the run trains; "" if it does. That its data is there is another
    question."""
    if run.family != model.family:
        return f"the Model's family is {model.family} now, and was {run.family}"
    if run.golden_set != model.golden_set:
        before, after = (one or "none" for one in (run.golden_set, model.golden_set))
        return f"the Model's golden set is {after} now, and was {before}"
    if run.most_bad != model.training.most_bad:
        return f"the Model lets {model.training.most_bad:g} of the files be bad now, and let {run.most_bad:g}"
    if run.compression != model.compressed:
        return "the Model asks for other compressed graphs now"
    rest = run.keep, run.patience, run.compression, run.accelerate
    if config_digest(run.family, run.config, run.golden_set, run.most_bad, *rest) != model.config_digest:
        return "the Model's config has changed since"
    if run.prefix not in ("", model.dataset.uri):
        return f"the Model's data now lies under {model.dataset.uri}, and lay under {run.prefix}"
    return ""


def write_run(run: Run, bucket: Bucket) -> bool:
    """Write the record if there is none. True if this call wrote it."""
    return put_once(run_uri(bucket.root, run.id), run, bucket)


def is_opened(run: str, bucket: Bucket) -> bool:
    """Whether the run has a record, by a listing alone: also one that cannot be read counts."""
    return is_there(run_uri(bucket.root, run), bucket)


def is_from_before_keys(run: str, bucket: Bucket) -> bool:
    """Whether the run has a record that no function of this platform has stamped: an older release wrote it,
    or a stranger."""
    try:
        found = find_run(run, bucket)
    except (NewerSchema, Rejected):
        return False
    return found is not None and not is_stamped(found, bucket)


def opened_at(run: str, bucket: Bucket) -> datetime | None:
    """When the record was written, by the store's clock; None if there is no record."""
    uri = run_uri(bucket.root, run)
    return next((one.modified for one in bucket.store.list(uri) if one.uri == uri), None)


def list_runs(prefix: str, bucket: Bucket) -> Iterator[tuple[str, ObjectInfo]]:
    """The ids that start with `prefix`, with their objects, by a listing alone. Other names are
    passed over."""
    place = runs_uri(bucket.root)
    for one in bucket.store.list(f"{place}{prefix}"):
        id, dot, suffix = one.uri.removeprefix(place).partition(".")
        if RUN_ID.fullmatch(id) and dot + suffix == ".json":
            yield id, one

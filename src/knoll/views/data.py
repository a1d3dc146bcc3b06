"""The data of a model as it lies in the bucket: its classes or folders, what is skipped, what is wrong."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from knoll.data_files import Skipped, tally
from knoll.data_kinds import is_archive
from knoll.data_layout import Form, bad_names, fault_of, find_layout, foldered
from knoll.ingest.landed import is_data, skipped_of
from knoll.models import parse_model
from knoll.ports import Platform
from knoll.views.models import ModelView, find_model

__all__ = ["DataView", "Group", "data_document", "read_data_view"]

_ARCHIVES = "archives"


@dataclass(frozen=True)
class Group:
    """The files of one class; without classes, those of one folder. `held_out` of them lie in a split for
    scoring."""

    name: str
    files: int
    bytes: int
    held_out: int = 0


@dataclass(frozen=True)
class DataView:
    """`fault` is why a run would be rejected for the names of the files, "" if it would not. `bad` are the
    files that it would leave out, as far as names tell. `archives` are not looked into."""

    model: ModelView
    uri: str
    groups: tuple[Group, ...]
    archives: Group
    skipped: tuple[Skipped, ...]
    fault: str
    bad: tuple[Skipped, ...] = ()

    @property
    def objects(self) -> int:
        """How many objects are data: files and archives."""
        return sum(one.files for one in self.groups) + self.archives.files


def read_data_view(platform: Platform, name: str, form_of: Callable[[str], Form]) -> DataView:
    """The data under the prefix now, landed or not. `form_of` tells a family's form. Raises NotFound if there
    is no such model."""
    view = find_model(platform, name)
    model = parse_model(view.document)
    listing = list(platform.store.list(model.dataset.uri))
    sizes = {one.uri.removeprefix(model.dataset.uri): one.size for one in listing if is_data(model, one.uri)}
    archives = [size for key, size in sizes.items() if is_archive(key)]
    loose = {key: size for key, size in sizes.items() if not is_archive(key)}
    form = form_of(model.family)
    fault = fault_of(sorted(loose), form, model.training.most_bad)
    bad = {} if fault else bad_names(loose, form)
    good = {key: size for key, size in loose.items() if key not in bad}
    return DataView(
        view,
        model.dataset.uri,
        _groups(good, form if not fault else Form()),
        Group(_ARCHIVES, len(archives), sum(archives)),
        skipped_of(model, (one.uri for one in listing)),
        fault,
        tally((why, key) for key, why in bad.items()),
    )


def data_document(found: DataView) -> dict[str, Any]:
    """The data as `-o json` shows it."""
    return {
        "model": found.model.name,
        "uri": found.uri,
        "state": found.model.data_state,
        "reason": found.model.data_reason,
        "objects": found.objects,
        "files": sum(one.files for one in found.groups),
        "bytes": sum(one.bytes for one in found.groups),
        "groups": [
            {"name": one.name, "files": one.files, "bytes": one.bytes, "heldOut": one.held_out}
            for one in found.groups
        ],
        "archives": {"files": found.archives.files, "bytes": found.archives.bytes},
        "skipped": [asdict(one) for one in found.skipped],
        "fault": found.fault,
        "bad": [asdict(one) for one in found.bad],
    }


def _groups(sizes: Mapping[str, int], form: Form) -> tuple[Group, ...]:
    held_out: frozenset[str] = frozenset()
    names = {key: key.rpartition("/")[0] or "." for key in sizes}
    if in_folders := foldered(sizes, form):
        layout = find_layout(in_folders)
        names, held_out = {**names, **layout.classes}, layout.held_out
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in names.items():
        keys[name].append(key)
    return tuple(
        Group(name, len(some), sum(sizes[key] for key in some), sum(key in held_out for key in some))
        for name, some in sorted(keys.items())
    )

"""How the classes of the data change with an upload."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knoll.data_files import normal
from knoll.data_kinds import is_archive
from knoll.data_layout import Form, bad_names, find_layout, foldered
from knoll.errors import InvalidData
from knoll.models import Model
from knoll.ports import Platform
from knoll.records.dataset import find_newest_dataset

__all__ = ["ClassChanges", "class_changes"]


@dataclass(frozen=True)
class ClassChanges:
    """The classes that are gone, and that are new, against the data that landed last; and groups of names
    that differ only in case or in blanks at the ends."""

    gone: Sequence[str] = ()
    come: Sequence[str] = ()
    alike: Sequence[Sequence[str]] = ()


def class_changes(
    platform: Platform, model: Model, form: Form, keys: Sequence[str], *, is_all: bool
) -> ClassChanges:
    """What data with these keys changes; `is_all` says whether they are all keys of the data. Classes in
    archives of the bucket are not known, and so neither gone nor new. Raises StoreUnavailable."""
    if not form.has_classes:
        return ClassChanges()
    landed, _ = find_newest_dataset(model.name, platform.bucket) or (None, "")
    was = [one.uri.removeprefix(landed.prefix) for one in landed.objects] if landed else []
    new, before = _classes(keys, form), _classes(was, form)
    knows_before = bool(before) and not any(map(is_archive, was))
    return ClassChanges(
        gone=sorted(before - new) if is_all else (),
        come=sorted(new - before) if knows_before else (),
        alike=_alike(new),
    )


def _classes(keys: Sequence[str], form: Form) -> set[str]:
    bad = bad_names(keys, form)
    try:
        layout = find_layout(key for key in foldered(keys, form) if not is_archive(key) and key not in bad)
    except InvalidData:
        return set()
    return set(layout.classes.values())


def _alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only in case, or in blanks at their ends."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        groups[normal(name).strip().casefold()].append(name)
    return [group for group in groups.values() if len(group) > 1]

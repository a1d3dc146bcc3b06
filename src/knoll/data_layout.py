"""Which class a file belongs to, and whether it is for training or for scoring: decided by all keys together.

The rule is `<class>/<file>`, but for tables, which hold their classes. One folder may hold all of it. An
archive is no folder: its members lie where it lies. Above the classes there may be the splits train and
val, valid or test, each with the same classes. All other nesting can be read in two ways, and is refused with
both.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from knoll.data_files import are_too_many, normal
from knoll.data_kinds import (
    is_archive,
    is_picture,
    is_sound,
    is_table,
    is_text,
    no_picture,
    no_sound,
    no_table,
    no_text,
)
from knoll.errors import BadFiles, InvalidData
from knoll.quoting import escaped

__all__ = [
    "NO_FOLDER",
    "Form",
    "Layout",
    "bad_names",
    "check_classes",
    "fault_of",
    "find_layout",
    "foldered",
    "listed",
]

NO_FOLDER = "it lies in no folder"
_TRAIN = {"train", "training"}
_SCORE = {"val", "valid", "validation", "test", "testing", "eval"}
_LISTED = 5
_RULE = "keep the files of each class in one folder, <class>/<file>"
_Folders = tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """What a family makes of keys: which kinds of files it takes, all if it names none, and whether the
    folders of files other than tables are classes."""

    takes_pictures: bool = False
    has_classes: bool = False
    takes_tables: bool = False
    takes_texts: bool = False
    takes_sounds: bool = False

    @property
    def thing(self) -> str:
        """What a file in the folder of a class is, in a word."""
        return "text" if self.takes_texts else "sound" if self.takes_sounds else "picture"


@dataclass(frozen=True)
class Layout:
    """The class of each key. `held_out` are the keys that a split keeps for scoring; without splits it is
    empty."""

    classes: Mapping[str, str]
    held_out: frozenset[str] = frozenset()
    splits: tuple[str, ...] = field(default=())


def foldered(keys: Iterable[str], form: Form) -> list[str]:
    """The files whose folders are their classes."""
    return [key for key in keys if form.has_classes and not (form.takes_tables and is_table(key))]


def bad_names(keys: Iterable[str], form: Form) -> dict[str, str]:
    """Why files cannot be learnt from, by key, as far as their names alone tell. Archives are not looked
    into."""
    seen = [key for key in keys if not is_archive(key)]
    others = {key: why for key in seen if (why := _why_other(key, form))}
    loose = {key: NO_FOLDER for key in foldered(seen, form) if not _folders(key)}
    return loose | others


def fault_of(keys: Iterable[str], form: Form, most_bad: float = 0) -> str:
    """Why a run would be rejected for the names of its files alone, without those of archives; "" if it would
    not. `most_bad` is the share of files that may be bad."""
    seen = [key for key in keys if not is_archive(key)]
    bad = bad_names(seen, form)
    if not are_too_many(len(bad), len(seen), most_bad):
        seen = [key for key in seen if key not in bad]
    others = {key: bad[key] for key in seen if bad.get(key, NO_FOLDER) != NO_FOLDER}
    try:
        if others:
            raise BadFiles(others)
        find_layout(foldered(seen, form))
    except InvalidData as error:
        return f"{error}; {error.fix}"
    return ""


def find_layout(keys: Iterable[str]) -> Layout:
    """Raises BadFiles that names the files in no folder, and InvalidData if the folders can be read in two
    ways."""
    found = {key: _folders(key) for key in keys}
    if loose := [key for key, path in found.items() if not path]:
        windows = "; a backslash separates folders on Windows alone: make folders of these names"
        fix = f"the folder is the class: <class>/<file>{windows * any(chr(92) in key for key in loose)}"
        raise BadFiles(dict.fromkeys(loose, NO_FOLDER), fix=fix)
    paths = _without_wrapper(found)
    splits = sorted({path[0] for path in paths.values()})
    is_split = _are_splits(splits)
    if all(len(path) == 1 for path in paths.values()):
        if is_split:
            raise InvalidData(
                f"the folders {listed(splits)} are splits, and there are no folders of classes in them",
                fix="write <split>/<class>/<file>, or <class>/<file>",
            )
        return Layout({key: path[0] for key, path in paths.items()})
    if not is_split or any(len(path) != 2 for path in paths.values()):
        raise _ambiguous(paths)
    return _of_splits(paths, splits)


def check_classes(labels: Iterable[str], kind: str = "picture") -> list[str]:
    """The classes by name, from the class of each file of this kind. Raises InvalidData if there are too few
    classes, or too few files in one."""
    counts = Counter(labels)
    if len(counts) < 2:
        only = f"only the class {listed(list(counts))}" if counts else "no class"
        raise InvalidData(
            f"the data has {only}, but needs at least two",
            fix="make one folder per class: <class>/<file>",
        )
    lonely = sorted(label for label, count in counts.items() if count < 2)
    if lonely:
        raise InvalidData(
            f"there is only one {kind} in class {listed(lonely)}",
            fix="add a second one: one is for training, one for scoring",
        )
    return sorted(counts)


def listed(names: Sequence[str]) -> str:
    """The first names, safe to show."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(escaped, names[:_LISTED])) + more


def _why_other(key: str, form: Form) -> str:
    """Why the file is of a kind that is not taken; "" if it is taken."""
    if form.takes_texts and not is_text(key) and not is_table(key):
        return no_text(key)
    if form.takes_pictures and not is_picture(key):
        return no_picture(key)
    if form.takes_sounds and not is_sound(key):
        return no_sound(key)
    return no_table(key) if form.takes_tables and not (is_table(key) or form.takes_texts) else ""


def _folders(key: str) -> _Folders:
    """The folders of a key, in NFC, without archives."""
    return tuple(
        normal(part) for part in key.split("/")[:-1] if part not in {"", "."} and not is_archive(part)
    )


def _without_wrapper(paths: Mapping[str, _Folders]) -> Mapping[str, _Folders]:
    """The paths without the folders that hold all others."""
    while paths and all(len(path) > 1 for path in paths.values()):
        if len({path[0] for path in paths.values()}) > 1:
            break
        paths = {key: path[1:] for key, path in paths.items()}
    return paths


def _are_splits(names: Sequence[str]) -> bool:
    found = {name.lower() for name in names}
    return found <= _TRAIN | _SCORE and bool(found & _TRAIN) and bool(found & _SCORE)


def _of_splits(paths: Mapping[str, _Folders], splits: Sequence[str]) -> Layout:
    by_split = {name: {path[1] for path in paths.values() if path[0] == name} for name in splits}
    classes = set().union(*by_split.values())
    for name, found in by_split.items():
        if found != classes:
            raise InvalidData(
                f"{name}/ lacks the classes {listed(sorted(classes - found))}, which "
                f"{listed([one for one in splits if one != name])} has",
                fix="give each split the same classes, or keep all files in <class>/<file>",
            )
    held_out = frozenset(key for key, path in paths.items() if path[0].lower() in _SCORE)
    return Layout({key: path[1] for key, path in paths.items()}, held_out, tuple(splits))


def _ambiguous(paths: Mapping[str, _Folders]) -> InvalidData:
    deepest = max(paths.values(), key=lambda path: (len(path), path))
    firsts = sorted({path[0] for path in paths.values()})
    lasts = sorted({path[-1] for path in paths.values()})
    if firsts == lasts:
        between = " or ".join(map(escaped, dict.fromkeys((deepest[0], deepest[-1]))))
        return InvalidData(
            f"{escaped('/'.join(deepest))} lies in the folder of a class, and has the name of one, too: such "
            f"a folder is not read; are its files of the class {between}?",
            fix=_RULE,
        )
    return InvalidData(
        f"{escaped('/'.join(deepest))}: did you mean the classes {listed(firsts)}, or the classes "
        f"{listed(lasts)}? Folders below the folder of a class are not read",
        fix=f"{_RULE}; only train/ and val/ or test/ may stand above the classes",
    )

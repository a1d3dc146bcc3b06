"""What is wrong with the files of an upload, told before the first byte is sent.

A run would be rejected for the same faults, after minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from filecmp import cmp
from itertools import chain
from pathlib import Path

from knoll.cli.bars import progress
from knoll.cli.upload_archives import Opened, open_archives
from knoll.cli.upload_plan import UploadFile, UploadPlan
from knoll.cli.upload_tables import LookedInto, TableLook, look_into_tables
from knoll.codecs.raster import check_raster, survey_raster
from knoll.data_files import are_too_many, normal, skipped_words, twins, why_skipped
from knoll.data_kinds import is_archive, is_picture, is_sound
from knoll.data_layout import Form, bad_names, check_classes, fault_of, find_layout, foldered, listed
from knoll.errors import BadFiles, InvalidData, InvalidPicture
from knoll.families import form_of
from knoll.models import Model
from knoll.ports import Platform
from knoll.quantities import counted
from knoll.quoting import escaped
from knoll.sounds.header import read_sound_header
from knoll.views.class_changes import ClassChanges, class_changes

__all__ = ["check_upload"]

_HEAD = 2**20  # bytes of a picture that nearly always hold its header


def check_upload(model: Model, plan: UploadPlan, platform: Platform) -> list[str]:
    """Sentences on what is skipped and on what changes. Raises InvalidData that names the files for which a
    run would be rejected."""
    form = form_of(model.family)
    look = TableLook(model)
    opened = open_archives(model, plan, form, look)
    bad = _check_files(model, plan, form, opened, look)
    skipped = [*skipped_words(plan.skipped), *skipped_words(opened.skipped)]
    keys = [*chain(*_keys(model, plan, opened))]
    changes = class_changes(platform, model, form, keys, is_all=not any(map(is_archive, plan.kept)))
    return [
        *skipped,
        *bad,
        *_empty(opened, plan),
        *_stored_twins(plan),
        *_change_words(changes),
        *_refusals(model, plan, form, opened),
    ]


def _check_files(model: Model, plan: UploadPlan, form: Form, opened: Opened, look: TableLook) -> list[str]:
    """Sentences on what a run would leave out."""
    most = model.training.most_bad
    faults = (fault_of(keys, form, most) for keys in _keys(model, plan, opened))
    fault = _twin_fault(plan) or next(filter(None, faults), "") or _no_data(model, plan, opened)
    if fault:
        raise InvalidData(f"a run would be rejected, so nothing is sent: {fault}")
    named = {key: why for keys in _keys(model, plan, opened) for key, why in bad_names(keys, form).items()}
    if form.takes_tables:
        look_into_tables(look, plan.items)
    tables = look.found
    broken = BadFiles({**named, **opened.faults, **dict(_faults(plan.items, form)), **tables.faults})
    if are_too_many(len(broken.faults), sum(map(len, _keys(model, plan, opened))), most):
        raise InvalidData(
            f"a run would be rejected, so nothing is sent: {broken}", fix="mend or remove these files"
        )
    if form.takes_tables:
        _check_rows(tables, plan, most)
    count = len(broken.faults)
    return [f"A run would leave out {counted(count, 'bad file')}: {broken}."] if count else []


def _check_rows(tables: LookedInto, plan: UploadPlan, most: float) -> None:
    """Raise InvalidData if too many rows are bad, or none is good. Rows that nobody has seen may be good."""
    rows = tables.good + tables.bad
    is_known = tables.is_all and not plan.kept
    if tables.bad and (most == 0 or (is_known and are_too_many(tables.bad, rows, most))):
        broken = BadFiles(tables.bad_rows)
        raise InvalidData(
            f"a run would be rejected, so nothing is sent: {broken}", fix="mend or remove these rows"
        )
    if is_known and tables.tables and not rows and not tables.faults:
        raise InvalidData("a run would be rejected, so nothing is sent: the tables have no rows")


def _no_data(model: Model, plan: UploadPlan, opened: Opened) -> str:
    """Why a run would be rejected for having no data at all; "" if it has some, or may have."""
    if not _is_known(model, plan) or all(_keys(model, plan, opened)):
        return ""
    return f"{listed([str(item.path) for item in plan.items])}: there is no file with data in it"


def _empty(opened: Opened, plan: UploadPlan) -> list[str]:
    """A sentence on archives that bring nothing."""
    found = [str(item.path) for item in plan.items if opened.members.get(item.uri) == []]
    return [f"{listed(found)}: there is no file with data in it."] * bool(found)


def _refusals(model: Model, plan: UploadPlan, form: Form, opened: Opened) -> list[str]:
    """What a run on this data would be rejected for. It is sent all the same: more may follow."""
    if not form.has_classes or not _is_known(model, plan):
        return []
    faults = dict.fromkeys(_class_fault(keys, form) for keys in _keys(model, plan, opened))
    return [f"A run would be rejected: {one}." for one in faults if one]


def _class_fault(keys: Sequence[str], form: Form) -> str:
    bad = bad_names(keys, form)
    files = foldered(keys, form)
    if not files and keys:
        return ""  # tables say which classes they hold
    try:
        layout = find_layout(key for key in files if not is_archive(key) and key not in bad)
        check_classes(layout.classes.values(), form.thing)
    except InvalidData as error:
        return f"{error}; {error.fix}"
    return ""


def _is_known(model: Model, plan: UploadPlan) -> bool:
    """Whether all data is known: archives in the bucket are not read."""
    return model.dataset.landed.when == "object" or not any(map(is_archive, plan.kept))


def _twin_fault(plan: UploadPlan) -> str:
    """Why a run would be rejected for two files whose names are one name in NFC and whose bytes differ; "" if
    it would not."""
    paths = {item.uri: item.path for item in plan.items}
    for first, second in twins(paths):
        if not cmp(paths[first], paths[second], shallow=False):
            return (
                f"two files have the same name {escaped(normal(second))}, or differ only in Unicode form; "
                "rename or remove one of them"
            )
    return ""


def _stored_twins(plan: UploadPlan) -> list[str]:
    """A sentence on objects that stay, and that have the name of a file that is sent."""
    sent = {item.uri for item in plan.items}
    found = [normal(new) for _, new in twins([*sorted(plan.kept), *sorted(sent)]) if new in sent]
    words = "has the name of an object that is there, in another Unicode form"
    return [
        f"{listed(found)} {words}: a run is rejected if their bytes differ. --replace deletes the old one."
    ] * bool(found)


def _change_words(changes: ClassChanges) -> Iterator[str]:
    """Sentences on the classes, compared with those of the data that landed last."""
    against = "Against the data that landed last, these classes are"
    if changes.gone:
        yield f"{against} gone: {listed(changes.gone)}."
    if changes.come:
        yield f"{against} new: {listed(changes.come)}."
    for group in changes.alike:
        yield (
            f"Warning: the classes {listed([f'{one!r}' for one in group])} differ only in case or in blanks "
            "at the ends: a run takes them for different classes."
        )


def _keys(model: Model, plan: UploadPlan, opened: Opened) -> list[list[str]]:
    """The keys that each dataset will have, as far as they are data and known, members of archives
    included."""
    prefix = model.dataset.uri
    sent = [list(opened.members.get(item.uri, [item.uri.removeprefix(prefix)])) for item in plan.items]
    kept = [uri.removeprefix(prefix) for uri in plan.kept if uri != plan.marker]
    whole = sent if model.dataset.landed.when == "object" else [[*chain(*sent), *kept]]
    return [sorted(key for key in keys if why_skipped(key) is None) for keys in whole]


def _faults(items: Sequence[UploadFile], form: Form) -> Iterator[tuple[str, str]]:
    """What is wrong with pictures and sounds."""
    checks = [(item.path, look) for item in items if (look := _look(item.path.name, form))]
    with progress("Checking", len(checks)) as advance:
        for path, look in checks:
            try:
                look(path)
            except (InvalidData, InvalidPicture) as error:
                yield str(path), str(error)
            advance(1)


def _look(name: str, form: Form) -> Callable[[Path], None] | None:
    """What looks into a file of this name before a run does."""
    if form.takes_pictures and is_picture(name):
        return _check_picture
    return _check_sound if form.takes_sounds and is_sound(name) else None


def _check_sound(path: Path) -> None:
    """Check a sound by its header alone: training decodes it."""
    with path.open("rb") as file:
        read_sound_header(file, path.stat().st_size)


def _check_picture(path: Path) -> None:
    """Check a picture by its head alone, if it is long and that suffices."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if len(head) < _HEAD:
            check_raster(head)
            return
        try:
            survey_raster(head)
        except InvalidPicture:
            survey_raster(head + file.read())

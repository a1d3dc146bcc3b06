"""What a run would find in the archives of an upload, told before the first byte is sent.

The reader of training reads them. Only one member at a time is in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from knoll.cli.bars import progress
from knoll.cli.upload_plan import UploadFile, UploadPlan
from knoll.cli.upload_tables import TableLook
from knoll.codecs.raster import check_raster
from knoll.data_files import Skipped, normal, tally, why_skipped
from knoll.data_kinds import is_archive, is_picture, is_sound, is_table
from knoll.data_layout import Form
from knoll.errors import InvalidData, InvalidPicture
from knoll.models import Model
from knoll.quantities import TRAINER_BASE, memory_of
from knoll.quoting import escaped
from knoll.sounds.header import read_sound_header
from knoll.trainer.archives import BadMember, Member, read_directory

__all__ = ["Opened", "open_archives"]


@dataclass(frozen=True)
class Opened:
    """The keys of the members of each archive, by its URI; what is wrong with which of them; and what is
    skipped of them."""

    members: Mapping[str, Sequence[str]]
    faults: Mapping[str, str]
    skipped: Sequence[Skipped]


@dataclass(frozen=True)
class _Member:
    """`skipped` says why, `fault` what is wrong with it; "" if nothing is."""

    key: str
    skipped: str = ""
    fault: str = ""


def open_archives(model: Model, plan: UploadPlan, form: Form, look: TableLook) -> Opened:
    """Read all archives that are sent, and look into their tables. Raises InvalidData that names an archive
    for which a run would be rejected."""
    keys = {item: item.uri.removeprefix(model.dataset.uri) for item in plan.items}
    archives = [item for item, key in keys.items() if is_archive(key) and why_skipped(key) is None]
    room = memory_of(model.training.resources) // model.training.processes_per_node - TRAINER_BASE
    found = dict[str, list[_Member]]()
    with progress("Checking archives", len(archives)) as advance:
        for item in archives:
            found[item.uri] = _read(item, keys[item], room, form, look)
            advance(1)
    return _summed(found)


def _summed(found: Mapping[str, Sequence[_Member]]) -> Opened:
    told = [one for members in found.values() for one in members]
    return Opened(
        {uri: [one.key for one in members if not one.skipped] for uri, members in found.items()},
        {one.key: one.fault for one in told if one.fault},
        tally((one.skipped, one.key) for one in told if one.skipped),
    )


def _read(item: UploadFile, key: str, room: int, form: Form, look: TableLook) -> list[_Member]:
    try:
        return list(_members(item, key, room, form, look))
    except InvalidData as error:
        raise InvalidData(
            f"a run would be rejected, so nothing is sent: {escaped(str(item.path))}: {error}"
        ) from error


def _members(item: UploadFile, key: str, room: int, form: Form, look: TableLook) -> Iterator[_Member]:
    """As `trainer.sorting` takes them, but without what is in them."""
    seen: dict[str, bytes] = {}
    with item.path.open("rb") as file:
        for name, found in read_directory(file, item.size, room):
            member = normal(f"{key}/{name}")
            if isinstance(found, str):
                yield _Member(member, skipped=found)
                continue
            content = found if isinstance(found, BadMember) else _content(found, file)
            if isinstance(content, BadMember):
                yield _Member(member, fault=content.fault)
                continue
            digest = sha256(content).digest()
            if seen.setdefault(member, digest) != digest:
                raise InvalidData(
                    f"two files have the same name {escaped(name)}, or differ only in Unicode form; "
                    "rename or remove one of them"
                )
            if form.takes_tables and is_table(name):
                look.look(member, len(content), partial(_head, content))
            yield _Member(member, fault=_fault(name, content, form))


def _content(member: Member, file: BinaryIO) -> bytes | BadMember:
    file.seek(member.place.start)
    try:
        return member.unpack(file.read(len(member.place)))
    except InvalidData as error:
        return BadMember(str(error))


def _head(body: bytes, most: int) -> bytes:
    return body[:most]


def _fault(name: str, body: bytes, form: Form) -> str:
    """What is wrong with a picture or a sound; "" if nothing is, or if it is neither."""
    try:
        if form.takes_pictures and is_picture(name):
            check_raster(body)
        if form.takes_sounds and is_sound(name):
            read_sound_header(BytesIO(body), len(body))
    except (InvalidData, InvalidPicture) as error:
        return str(error)
    return ""

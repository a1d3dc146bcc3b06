"""The data of a model in a table, and lines below it."""

from knoll.data_files import skipped_words
from knoll.quantities import counted
from knoll.quoting import escaped
from knoll.views.data import DataView, Group
from knoll.views.units import size

__all__ = ["DATA_HEADINGS", "data_lines", "data_row"]

DATA_HEADINGS = ("NAME", "FILES", "SIZE", "HELD-OUT")


def data_row(group: Group) -> tuple[str, ...]:
    """The cells under DATA_HEADINGS. What is held out is known only if the data has splits."""
    return (escaped(group.name), str(group.files), size(group.bytes), str(group.held_out or ""))


def data_lines(found: DataView) -> list[str]:
    """What the table does not say."""
    files, bytes = sum(one.files for one in found.groups), sum(one.bytes for one in found.groups)
    archives = found.archives
    told = f"{counted(files, 'file')}, {size(bytes)}"
    if archives.files:
        told = f"{counted(found.objects, 'object')}, {size(bytes + archives.bytes)}"
    lines = [f"{told}, in {found.uri}"]
    if archives.files:
        lines.append(
            f"These are {counted(files, 'file')} and {counted(archives.files, 'archive')} of "
            f"{size(archives.bytes)}. An archive is one object; a run trains on the files in it, and its log "
            "says how many"
        )
    lines += skipped_words(found.skipped)
    lines += skipped_words(found.bad, "a run would leave out", "bad file")
    if found.fault:
        lines.append(f"A run would be rejected: {found.fault}")
    state = ": ".join(part for part in (found.model.data_state, found.model.data_reason) if part)
    return [*lines, f"State: {escaped(state)}"] if state else lines

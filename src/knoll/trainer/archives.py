"""Archives in a dataset, which are read as folders, member by member. With the rule `object`, one archive is
one dataset.

A member stays in memory alone. What a header says is not trusted: it is compared with the memory of the Job
first, and unpacking stops there, so that a small archive cannot fill the machine.
"""

import io
from typing import IO

from knoll.trainer.archive_members import BadMember, Found, Member
from knoll.trainer.tar_archives import is_tar, read_tar
from knoll.trainer.zip_archives import read_zip

__all__ = ["BadMember", "Member", "read_directory"]

_LONGEST_HEAD = 512  # bytes that tell one kind from another


def read_directory(file: IO[bytes], size: int, room: int) -> Found:
    """Each member of an archive of so many bytes by its name, or the reason why it is skipped, or why it is
    bad. `room` is how many bytes of memory a member may take, and all of what the archive says of its members
    together. The file may be read elsewhere in between.

    Raises InvalidData that says what is wrong with the archive and what to do.
    """
    head = file.read(_LONGEST_HEAD)
    file.seek(0, io.SEEK_SET)
    return read_tar(file, size, room) if is_tar(head) else read_zip(file, head, size, room)

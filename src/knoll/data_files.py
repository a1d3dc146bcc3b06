"""What is data: the one rule that upload, ingest, trainer and views share.

Systems leave files beside those of a user: folders of their own, caches, previews, locks. They are no data:
they take no part in the digest, the count and the classes. Whatever is left out is counted by reason.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knoll.quantities import counted
from knoll.quoting import escaped

__all__ = [
    "Skipped",
    "are_too_many",
    "left_out_words",
    "normal",
    "skipped_words",
    "tally",
    "twins",
    "why_skipped",
]

_NAMED = 3  # examples of each reason
_SYSTEM = re.compile(
    r"""__MACOSX | thumbs\.db(:encryptable)? | ehthumbs(_vista)?\.db | desktop\.ini | icon\r
    | \$RECYCLE\.BIN | System\ Volume\ Information | RECYCLER | (?-i:RECYCLED) | lost\+found | FOUND\.\d{3}
    | Network\ Trash\ Folder | Temporary\ Items | TheVolumeSettingsFolder | DfsrPrivate
    | @eaDir | @tmp | @Recently-Snapshot | \#recycle | \#snapshot | ~snapshot | @Recycle | __pycache__
    | (hiberfil|pagefile|swapfile)\.sys
    | .+[:\uf03a](Zone\.Identifier|SmartScreen|encryptable|AFP_\w+|com\.(apple|dropbox)\..+?)(:\$DATA)?""",
    re.VERBOSE | re.IGNORECASE,
)
_OF_OTHERS = "marker of another program"
_OF_VERSIONS = "kept by a version control program"
_OF_FILES = {  # reasons that the name of the file alone gives
    "lock of an open document": r"~\$.+ | .+\.laccdb",
    "copy that an editor has kept": r"""
        .+~ | \#.+\# | .+\.(bak|orig|rej) | .+\.\w+\.(old|save|backup|sw[op]) | .+___jb_(tmp|old)___""",
    "unfinished download": r"""
        .+\.(crdownload|opdownload|partial|filepart|dtapart|aria2|!\w+|(bc|jc|ut)!)
        | .+\.\w+\.(part|download|tmp|temp) | .+\.part\.minio | .+_\.gstmp | ~.+\.tmp""",
    "made by a photo program": r"""
        picasa\.ini | zbthumbnail\.info | pspbrwse\.jbf | descript\.ion | .+\.(xmp|aae)""",
    "made by a program that keeps copies in step": r".+\.ffs_(db|lock|tmp|real|gui|batch)",
    "checksum of other files": r".+\.(crc|md5|sha(1|224|256|384|512)|sfv) | (md5|sha\d+)sums?(\.txt)?",
    "shortcut to another file": r".+\.(lnk|webloc)",
    _OF_VERSIONS: r".+,v | vssver2?\.scc",
    _OF_OTHERS: r"_metadata | _common_metadata",  # of Parquet
}
_NAMES = {reason: re.compile(names, re.VERBOSE | re.IGNORECASE) for reason, names in _OF_FILES.items()}
_MARKER = re.compile(  # of Hadoop, Spark and Impala
    r"_SUCCESS|_temporary|_(started|committed)_\d+|_delta_log|_spark_metadata|_impala_insert_staging"
)
_VERSIONED = re.compile(
    r"(.+/)?(CVS/(Entries(\.\w+)?|Repository|Root|Tag|Template|Base(rev)?|Notify)|_darcs/.+)"
)


@dataclass(frozen=True)
class Skipped:
    """How many files are left out for one reason, and the first of them."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()


def why_skipped(key: str) -> str | None:
    """Why an object is no data, by its key below the prefix; None if it is data.

    The marker or manifest of a Model is no data either; `ingest.landed` knows its name.
    """
    *folders, name = key.split("/")
    if not name:
        return "a folder's own key"
    parts = [*folders, name]
    if any(part.startswith(".") for part in folders):
        return "in a hidden folder"
    if name.startswith("."):
        return "hidden"
    if any(_SYSTEM.fullmatch(part) for part in parts):
        return "made by the operating system"
    if any(_MARKER.fullmatch(part) for part in parts):
        return _OF_OTHERS
    if _VERSIONED.fullmatch(key):
        return _OF_VERSIONS
    return next((reason for reason, names in _NAMES.items() if names.fullmatch(name)), None)


def are_too_many(bad: int, files: int, share: float) -> bool:
    """Whether more than this share of all files is bad."""
    return bad > share * files + 1e-9  # as a float, 29 % of 100 files is less than 29


def normal(name: str) -> str:
    """The name in NFC: macOS writes é as two characters, others as one. Names are compared in this form."""
    return unicodedata.normalize("NFC", name)


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that are one name in NFC, each name beside the first of its form."""
    first: dict[str, str] = {}
    return [(one, name) for name in names if (one := first.setdefault(normal(name), name)) != name]


def tally(found: Iterable[tuple[str, str]]) -> tuple[Skipped, ...]:
    """Pairs of a reason and a key -> what is skipped by reason, the most frequent first."""
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for reason, key in found:
        keys[reason].append(key)
    by_reason = [Skipped(reason, len(some), tuple(sorted(some)[:_NAMED])) for reason, some in keys.items()]
    return tuple(sorted(by_reason, key=lambda one: (-one.count, one.reason)))


def skipped_words(skipped: Sequence[Skipped], was: str = "skipped", thing: str = "file") -> list[str]:
    """A line for each reason, such as "skipped 3 files, hidden: .a.png, .b.png, …"."""
    return [f"{was} {counted(one.count, thing)}, {escaped(one.reason)}{_examples(one)}" for one in skipped]


def left_out_words(bad: Sequence[Skipped]) -> list[str]:
    """The same of bad files, such as "left out 1 bad file, it is cut short: a.png"."""
    return skipped_words(bad, "left out", "bad file")


def _examples(one: Skipped) -> str:
    told = [*map(escaped, one.examples), *(["…"] if one.count > len(one.examples) else [])]
    return f": {', '.join(told)}" if one.examples else ""

"""Which kind of file a name is of: its ending says it. What the bytes are is seen when they are read."""

__all__ = [
    "PICTURES",
    "SOUNDS",
    "TABLES",
    "is_archive",
    "is_picture",
    "is_sound",
    "is_table",
    "is_text",
    "no_picture",
    "no_sound",
    "no_table",
    "no_text",
]

_ARCHIVES = (".zip", ".tar")
PICTURES = (".png", ".jpg", ".jpeg")
SOUNDS = (".wav", ".flac")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".npz")
_TEXT = ".txt"
_NO_PICTURE = "it is not a picture: only .png, .jpg and .jpeg are"
_NO_SOUND = "it is no sound: only .wav and .flac are"
_OTHER_ARCHIVES = (".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar")
_NOT_READ = (
    "it is compressed in a way that is not read: only .zip and .tar are; make a zip archive of the files"
)
_NO_TABLE = f"it is no table: only {', '.join(TABLES[:-1])} and {TABLES[-1]} are"
_NO_TEXT = f"it is neither a text, as {_TEXT} is, nor a table: only {', '.join(TABLES)} are"


def is_picture(name: str) -> bool:
    """Whether a file of this name is read as a picture."""
    return name.lower().endswith(PICTURES)


def no_picture(name: str) -> str:
    """Why a file whose name is that of no picture is bad."""
    return _why_not(name, _NO_PICTURE)


def is_sound(name: str) -> bool:
    """Whether a file of this name is read as a sound."""
    return name.lower().endswith(SOUNDS)


def no_sound(name: str) -> str:
    """Why a file whose name is that of no sound is bad."""
    return _why_not(name, _NO_SOUND)


def is_table(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    return name.lower().endswith(TABLES)


def no_table(name: str) -> str:
    """Why a file whose name is that of no table is bad."""
    return _why_not(name, _NO_TABLE)


def is_text(name: str) -> bool:
    """Whether a file of this name is read as one text."""
    return name.lower().endswith(_TEXT)


def no_text(name: str) -> str:
    """Why a file whose name is that of neither a text nor a table is bad."""
    return _why_not(name, _NO_TEXT)


def is_archive(name: str) -> bool:
    """Whether a file of this name is read as a folder."""
    return name.lower().endswith(_ARCHIVES)


def _why_not(name: str, other: str) -> str:
    return _NOT_READ if name.lower().endswith(_OTHER_ARCHIVES) else other

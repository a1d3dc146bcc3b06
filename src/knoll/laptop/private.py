"""Files that only their owner can read, such as keys."""

import contextlib
import secrets
from pathlib import Path

__all__ = ["find_or_make_token", "keep_private", "write_private"]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def keep_private(path: Path) -> None:
    """Let only the owner read a SQLite file that is there, and the files beside it."""
    for one in path.parent.glob(f"{path.name}*"):
        one.chmod(0o600)


def find_or_make_token(path: Path) -> str:
    """The token in a file that only its owner can read; made if there is none."""
    with contextlib.suppress(FileNotFoundError):
        if found := path.read_text().strip():
            return found
    token = secrets.token_urlsafe(32)
    write_private(path, token)
    return token

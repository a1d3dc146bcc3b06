"""Files that only their owner can read, such as keys."""

import contextlib
import secrets
from pathlib import Path

__all__ = ["find_or_make_token", "write_private"]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def find_or_make_token(path: Path) -> str:
    """The token in a file that only its owner can read; made if there is none."""
    with contextlib.suppress(FileNotFoundError):
        if found := path.read_text().strip():
            return found
    token = secrets.token_urlsafe(32)
    write_private(path, token)
    return token

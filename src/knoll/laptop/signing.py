"""The pairs of keys of this home: trainers sign versions with one, functions stamp records with the other."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from knoll.installation import SIGN_FILE, VERIFY_FILE
from knoll.keys import make_key, read_signer, read_verify_keys
from knoll.laptop.private import write_private

__all__ = ["SIGNING", "STAMPING", "Pair", "find_or_make_pair"]

SIGNING, STAMPING = "signing", "stamping"  # the folders


@dataclass(frozen=True)
class Pair:
    """The private key, and all public keys that are accepted, in PEM."""

    private: str
    public: str


def find_or_make_pair(folder: Path) -> Pair:
    """The keys in the folder; only their owner can read them. If there is no private key, one is made, and
    its public half is added to the others. So you replace a private key by deleting it.

    Raises Unavailable for files that are no keys.
    """
    found, public = _read(folder / SIGN_FILE), _read(folder / VERIFY_FILE)
    private = found or make_key()
    ours = read_signer(private).public
    if not public or ours.id not in read_verify_keys(public):
        public += ours.pem
        write_private(folder / VERIFY_FILE, public)  # first: what is signed must be accepted
    if not found:
        write_private(folder / SIGN_FILE, private)
    return Pair(private, public)


def _read(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    return ""

"""Keys that sign and verify: Ed25519, in PEM.

There are two pairs: trainers sign versions, and functions stamp records. Everybody else has public keys, one
after the other in one text: while a key is replaced, the old and the new one are both accepted. The id of a
key is the sha256 of its public half in DER.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from knoll.errors import Unavailable

__all__ = ["Signer", "VerifyKey", "make_key", "read_signer", "read_verify_keys"]

_FIX = "docs/operate.md, under Keys, says how to make one"
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True)
class VerifyKey:
    """A public key: its id, and its PEM."""

    id: str
    pem: str
    _key: Ed25519PublicKey = field(repr=False)

    def has_signed(self, body: bytes, signature: bytes) -> bool:
        """Whether the key signature of these bytes is by this key."""
        try:
            self._key.verify(signature, body)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A private key, with its public half."""

    public: VerifyKey
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, body: bytes) -> bytes:
        """The signature of these bytes, which is always the same."""
        return self._key.sign(body)


def make_key() -> str:
    """A new private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def read_signer(pem: str, name: str = "KNOLL_SIGN_KEY") -> Signer:
    """The private key in a text, which is the value of the setting `name`. Raises Unavailable if there is
    none."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unavailable(f"{name} is no private key in PEM", fix=_FIX) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Unavailable(f"{name} is no Ed25519 key", fix=_FIX)
    return Signer(_verify_key(key.public_key()), key)


def read_verify_keys(pems: str, name: str = "KNOLL_VERIFY_KEY") -> Mapping[str, VerifyKey]:
    """The public keys in a text, by their ids. Raises Unavailable if there is none, or if one cannot be
    read: then nothing is accepted."""
    blocks = [match[0] for match in _BLOCK.finditer(pems)]
    if not blocks:
        raise Unavailable(f"{name} has no public key in PEM", fix=_FIX)
    return {key.id: key for key in (_read_public(block, name) for block in blocks)}


def _read_public(pem: str, name: str) -> VerifyKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unavailable(f"{name} has what is no public key", fix=_FIX) from error
    if not isinstance(key, Ed25519PublicKey):
        raise Unavailable(f"{name} has a key that is no Ed25519 key", fix=_FIX)
    return _verify_key(key)


def _verify_key(key: Ed25519PublicKey) -> VerifyKey:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return VerifyKey(hashlib.sha256(der).hexdigest(), pem, key)

"""Keys for tests: the same in each run, and of no use elsewhere."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from knoll.keys import Signer, read_signer

__all__ = ["private_key", "signer_of"]


def private_key(number: int = 0) -> str:
    """The private key with this number, in PEM."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(number, number + 32)))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signer_of(number: int = 0) -> Signer:
    """The same, to sign with."""
    return read_signer(private_key(number))

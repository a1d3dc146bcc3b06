"""The key with which a trainer signs its version. This module needs no torch, so that a missing key is found
before anything is learnt."""

from knoll.errors import Unavailable
from knoll.keys import Signer, read_signer, read_verify_keys
from knoll.settings import Settings

__all__ = ["find_signer"]

_FIX = "knoll up and make deploy make the keys; docs/operate.md, under Keys, says how to replace them"


def find_signer(settings: Settings) -> Signer | None:
    """The key of this trainer; None if the platform asks for no signature.

    Raises Unavailable if the platform would refuse what this trainer makes: it has no key, or one that is not
    among the platform's.
    """
    if not settings.sign_key:
        if settings.verify_key:
            raise Unavailable(
                "this trainer has no key to sign with (KNOLL_SIGN_KEY), and the platform serves only signed "
                "versions",
                fix=_FIX,
            )
        return None
    signer = read_signer(settings.sign_key)
    if settings.verify_key and signer.public.id not in read_verify_keys(settings.verify_key):
        raise Unavailable(
            f"this trainer would sign with key {signer.public.id[:12]}…, and the platform would not accept "
            "that: KNOLL_VERIFY_KEY has no such key",
            fix=_FIX,
        )
    return signer

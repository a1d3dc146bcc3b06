"""What a version would change for the clients of the champion, as their signatures lie in the bucket."""

from contextlib import suppress

from knoll.errors import NewerSchema, NotFound, Rejected
from knoll.ports import Bucket
from knoll.records.manifest import entry_of, find_sealed, not_as_trained, read_file
from knoll.records.signature import SIGNATURE, Signature, load_signature
from knoll.rollout.signature_change import signature_change
from knoll.rollout.slot import Slot

__all__ = ["find_change"]


def find_change(model: str, slot: Slot, version: str, bucket: Bucket) -> str:
    """How the signature of the version differs from the champion's, in words; "" if it does not. If one of
    the two cannot be read, nothing is compared, and the predictor refuses what is spoilt."""
    if not slot.champion:
        return ""
    with suppress(Rejected, NotFound):
        old, new = (_read_signature(model, name, bucket) for name in (slot.champion, version))
        return signature_change(old, new, slot.champion)
    return ""


def _read_signature(model: str, version: str, bucket: Bucket) -> Signature:
    """The signature of the version. One of a newer schema counts if the manifest names it."""
    body = read_file(model, version, SIGNATURE, bucket)
    try:
        return load_signature(body)
    except NewerSchema as error:
        sealed = find_sealed(model, version, bucket)
        if sealed and entry_of(body) != sealed.manifest.files.get(SIGNATURE):
            raise not_as_trained(sealed.manifest, [f"{SIGNATURE} has other bytes"]) from error
        raise

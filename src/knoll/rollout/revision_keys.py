"""The key of a Revision: it proves what its replicas report, and what is replayed to them.

Beside it a predictor gets the key of its Model's answers, by which all predictors of a Model know the answers
of each other again.

It follows from the key with which functions stamp records, the Model's uid, and the version with the sha256
of its manifest. So rollout keeps none. The predictor reads it from a Secret, which Kubernetes deletes with
the Model. The Secret is named after a digest of its key, so rollout reads and changes none.
"""

import hashlib
from base64 import b64encode

from knoll.kube.kinds import SECRET_API
from knoll.kube.labels import COMPONENT_LABEL, VERSION_LABEL, part_labels
from knoll.ports import Document
from knoll.proofs import derived_key
from knoll.rollout.slot import Slot
from knoll.settings import Settings

__all__ = [
    "ANSWER_ENTRY",
    "REVISION_ENTRY",
    "REVISION_KEY",
    "key_of_answers",
    "key_of_revision",
    "key_secret",
    "name_of",
]

REVISION_KEY = "revision-key"  # the component of such a Secret
REVISION_ENTRY = "key"  # the entry with that key
ANSWER_ENTRY = "answers"  # the entry with the key of the answers


def key_of_revision(document: Document, slot: Slot, version: str, settings: Settings) -> str:
    """The key of the Revisions that serve a version of the Model; "" if the platform has no key."""
    if not settings.stamp_key:
        return ""
    metadata = document["metadata"]
    facts = metadata["name"], str(metadata.get("uid") or ""), version, slot.pins.get(version, "")
    return derived_key("".join(settings.stamp_key.split()), *facts)


def key_of_answers(document: Document, settings: Settings) -> str:
    """The key that proves which answers the Model gave; "" if the platform has no key."""
    if not settings.stamp_key:
        return ""
    metadata = document["metadata"]
    facts = "answers", metadata["name"], str(metadata.get("uid") or "")
    return derived_key("".join(settings.stamp_key.split()), *facts)


def key_secret(document: Document, slot: Slot, version: str, settings: Settings) -> Document | None:
    """The Secret with both keys; None if the platform has no key. Its name has 59 characters at most."""
    key = key_of_revision(document, slot, version, settings)
    if not key:
        return None
    answers = key_of_answers(document, settings)
    model, digest = document["metadata"]["name"], hashlib.sha256((key + answers).encode()).hexdigest()
    labels = {**part_labels(model), VERSION_LABEL: version, COMPONENT_LABEL: REVISION_KEY}
    return {
        "apiVersion": SECRET_API,
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {"name": f"{model}-{version}-{digest[:10]}", "labels": labels},
        "data": {
            REVISION_ENTRY: b64encode(key.encode()).decode(),
            ANSWER_ENTRY: b64encode(answers.encode()).decode(),
        },
    }


def name_of(secret: Document | None) -> str:
    """The name of a Secret; "" if there is none."""
    return str(secret["metadata"]["name"]) if secret else ""

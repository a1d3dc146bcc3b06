"""Which release of knoll wrote an InferenceService.

During an upgrade functions of two releases see the same Models, and each release has its own image and
arguments for the predictor. The newer form stays, so that they do not write it in turn.
"""

import re

from knoll import __version__
from knoll.kube.annotations import RELEASE
from knoll.ports import Document

__all__ = ["is_of_newer_release", "is_of_this_release", "marked_with_this_release"]


def is_of_newer_release(isvc: Document) -> bool:
    """Whether a newer knoll wrote the InferenceService last. Without a release that can be read: no."""
    written = _release_of(isvc)
    return isinstance(written, str) and _numbers(written) > _numbers(__version__)


def is_of_this_release(isvc: Document) -> bool:
    """Whether no other knoll than one of this release wrote the InferenceService last."""
    return bool(_release_of(isvc) == __version__)


def marked_with_this_release(isvc: Document) -> Document:
    """The same InferenceService with the name of this release in its annotations."""
    metadata = isvc["metadata"]
    annotations = {**(metadata.get("annotations") or {}), RELEASE: __version__}
    return {**isvc, "metadata": {**metadata, "annotations": annotations}}


def _release_of(isvc: Document) -> object:
    return (isvc["metadata"].get("annotations") or {}).get(RELEASE)


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number[:9]) for number in re.findall(r"\d+", release, re.ASCII)[:3])

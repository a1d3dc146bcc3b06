"""The objects of a Model's status, all the way down."""

from collections.abc import Iterator

from knoll.ports import Document

__all__ = ["objects_of"]

# tables, whose keys are names of versions or replicas: who writes one knows all of it
_TABLES = frozenset(
    {
        *("quarantine", "quarantineCauses", "quarantinedAt", "approved", "fallen"),
        *("manifestSha256", "signedBy", "instances"),
    }
)


def objects_of(status: Document, place: str = "status") -> Iterator[tuple[str, Document]]:
    """Each object with fields, and its place, such as status.rollout.evidence."""
    yield place, status
    for name, one in status.items():
        if isinstance(one, dict) and name not in _TABLES:
            yield from objects_of(one, f"{place}.{name}")

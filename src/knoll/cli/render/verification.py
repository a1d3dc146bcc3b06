"""A verification in a table."""

from knoll.cli.tables import PlainTable, plain_table
from knoll.views.verification import Verification

__all__ = ["verification_table"]


def verification_table(found: Verification) -> PlainTable:
    """A row for each link of the chain."""
    name = f"{found.model} {found.version}"
    rows = (
        (name, one.name, "differs" if one.fault else "intact", one.fault or one.note) for one in found.links
    )
    return plain_table(("VERSION", "LINK", "STATE", "WHY"), rows)

"""What clients of a model that takes rows would see change. Pure.

It is no part of `knoll.codecs.row`, which takes numpy: the functions have none.
"""

from collections.abc import Iterator

from knoll.quoting import escaped
from knoll.records.signature import Tensor

__all__ = ["row_changes"]


def row_changes(old: Tensor, new: Tensor) -> Iterator[str]:
    """What of a row a client must send otherwise: columns that are gone, that are required, or that are of
    another kind. A category that is gone is answered as others are."""
    before, after = ({one["name"]: one for one in tensor.columns} for tensor in (old, new))
    yield from (
        f"column {escaped(name)} is refused"
        for name in sorted(before.keys() - after.keys() - {*new.options.get("ignored", ())})
    )
    for name, one in after.items():
        was = before.get(name)
        if not one["optional"] and (was is None or was["optional"]):
            yield f"column {escaped(name)} is required"
        if was is not None and was["kind"] != one["kind"]:
            yield f"column {escaped(name)} is a {one['kind']}, not a {was['kind']}"

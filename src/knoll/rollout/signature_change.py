"""What the clients of the champion would see change with another version. Pure, over signatures.

Classes, inputs and outputs may change with the data or the config. Then requests that the champion answers
may be refused, and answers may mean something else.
"""

from collections.abc import Iterator, Sequence

from knoll.quoting import escaped
from knoll.records.signature import Signature, Tensor
from knoll.rollout.row_change import row_changes

__all__ = ["signature_change", "why_change_is_refused"]

_SHOWN = 5  # names or changes of each kind in a reason


def signature_change(old: Signature, new: Signature, champion: str) -> str:
    """How the signature `new` differs from that of the champion, in words; "" if it does not."""
    changes = [
        *_classes_changed(_classes(old), _classes(new)),
        *_tensors_changed("input", old.inputs, new.inputs),
        *_tensors_changed("output", old.outputs, new.outputs),
    ]
    return f"its signature is not that of {champion}: {_some(changes, '; ')}" if changes else ""


def why_change_is_refused(change: str) -> str:
    """Why a version with that change is not tried, and what to do if it is meant."""
    return f"{change}. If that is meant, set rollout.allowSignatureChange: true, and apply the Model"


def _classes_changed(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    if set(old) != set(new):
        yield f"classes {_came_and_went(old, new)}"
    elif old != new:
        yield "its classes are in another order"


def _tensors_changed(kind: str, old: Sequence[Tensor], new: Sequence[Tensor]) -> Iterator[str]:
    before, after = ({one.name: one for one in tensors} for tensors in (old, new))
    if set(before) != set(after):
        yield f"{kind}s {_came_and_went([*before], [*after])}"
    for name in sorted(set(before) & set(after)):
        for what, was, is_now in zip(
            ("shape", "datatype", "codec"), _form(before[name]), _form(after[name]), strict=True
        ):
            if was != is_now:
                yield f"{kind} {escaped(name)} has the {what} {escaped(is_now)}, not {escaped(was)}"
        if before[name].columns and after[name].columns:
            yield from row_changes(before[name], after[name])
        if {*before[name].series} != {*after[name].series}:
            change = _came_and_went(before[name].series, after[name].series)
            yield f"{kind} {escaped(name)} comes {change}"


def _form(tensor: Tensor) -> tuple[str, str, str]:
    """Shape, datatype and codec. The shape follows from the labels of an output, and from the columns of a
    row; clients do not see that of a text."""
    shape = "" if tensor.labels or tensor.columns or tensor.takes_text else str(list(tensor.shape))
    return shape, tensor.datatype, tensor.codec


def _classes(signature: Signature) -> list[str]:
    return [label for one in signature.outputs for label in one.labels]


def _came_and_went(old: Sequence[str], new: Sequence[str]) -> str:
    gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    words = (("without", gone), ("with the new", come))
    return " and ".join(f"{word} {_some(names, ', ')}" for word, names in words if names)


def _some(words: Sequence[str], between: str) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return escaped(between.join(words[:_SHOWN])) + more

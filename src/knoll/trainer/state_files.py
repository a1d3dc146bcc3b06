"""A tree of values as two files: its tensors as safetensors, and all else as JSON. No code comes back.

Their schema is that of their checkpoint. A tree is made of dicts with keys of any scalar type, lists, tuples,
tensors, bytes, and scalars. What is read is equal to what was written, in values and types.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from knoll.errors import Rejected

__all__ = ["Tree", "copied", "decode_tree", "encode_tree"]

Tree = Any


def copied(tree: Tree) -> Tree:
    """The tree with copies of its tensors in main memory, which a training no longer changes."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().to("cpu", copy=True)
    if isinstance(tree, Mapping):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(copied(value) for value in tree)
    return tree


def encode_tree(tree: Tree) -> tuple[bytes, bytes]:
    """The JSON and the safetensors of a tree. Raises TypeError for a value of another type."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_packed(tree, tensors), separators=(",", ":"))
    body: bytes = save(tensors)
    return text.encode(), body


def decode_tree(text: bytes, tensors: bytes) -> Tree:
    """The tree of these files. Raises Rejected if they are not such files."""
    try:
        return _unpacked(json.loads(text), load(tensors))
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError, SafetensorError) as error:
        raise Rejected("its state is damaged, or no knoll has written it") from error


def _packed(tree: Tree, tensors: dict[str, torch.Tensor]) -> Any:
    """Scalars stay; all else becomes an object with one key, its kind."""
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    if isinstance(tree, torch.Tensor):
        return {"tensor": _add(tree.contiguous(), tensors)}
    if isinstance(tree, bytes):
        return {"bytes": _add(torch.tensor(bytearray(tree), dtype=torch.uint8), tensors)}
    if isinstance(tree, Mapping):
        return {"dict": [[_packed(key, tensors), _packed(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, tuple):
        return {"tuple": [_packed(value, tensors) for value in tree]}
    if isinstance(tree, list):
        return [_packed(value, tensors) for value in tree]
    raise TypeError(f"a state has a value of type {type(tree).__name__}")


def _add(tensor: torch.Tensor, tensors: dict[str, torch.Tensor]) -> str:
    name = str(len(tensors))
    tensors[name] = tensor
    return name


def _unpacked(found: Any, tensors: Mapping[str, torch.Tensor]) -> Tree:
    if isinstance(found, list):
        return [_unpacked(value, tensors) for value in found]
    if not isinstance(found, dict):
        return found
    ((kind, content),) = found.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "bytes":
            return tensors[content].numpy().tobytes()
        case "tuple":
            return tuple(_unpacked(value, tensors) for value in content)
        case "dict":
            return {_unpacked(key, tensors): _unpacked(value, tensors) for key, value in content}
    raise ValueError(f"{kind!r} is no kind of value")

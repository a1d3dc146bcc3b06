"""Which model a ModelInfer is for. The beginning of its message tells: a router need not wait for more."""

from knoll.errors import InvalidInstance
from knoll.rpc.framing import HEAD
from knoll.rpc.reading import first_text

__all__ = ["called_model"]

_MODEL_NAME = 1  # the number of the field


def called_model(begun: bytes) -> str:
    """The name of the model; "" if the message does not say it, or not yet."""
    try:
        return first_text(memoryview(begun)[HEAD:], _MODEL_NAME)
    except InvalidInstance:
        return ""

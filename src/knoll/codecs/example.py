"""A right request for a signature, to show to those who ask and to those who sent a wrong one."""

from typing import Any

from knoll.codecs.table import CODECS
from knoll.records.signature import Signature

__all__ = ["example_instance", "example_request"]


def example_request(signature: Signature) -> Any:
    """A small V1 request that is answered without a warning; None if only a large one would do."""
    one = example_instance(signature)
    return None if one is None else {"instances": [one]}


def example_instance(signature: Signature) -> Any:
    """The one instance of that request: a value by name, if the signature has several inputs."""
    values = {tensor.name: CODECS[tensor.codec].example(tensor) for tensor in signature.inputs}
    if any(value is None for value in values.values()):
        return None
    return next(iter(values.values())) if len(values) == 1 else values

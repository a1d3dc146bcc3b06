"""A policy from a YAML file."""

from knoll.cli.documents import read_documents
from knoll.errors import InvalidModel
from knoll.models.policy import PolicySpec, parse_policy

__all__ = ["read_policy"]

_FIX = "correct the file and run the command again"


def read_policy(path: str) -> PolicySpec:
    """Read the policy in a file; "-" is stdin. Raises InvalidModel with file and line of each fault, and
    NotFound for a missing file."""
    try:
        found = read_documents(path, "a policy")
    except InvalidModel as error:
        raise InvalidModel(str(error), fix=_FIX) from error
    if len(found) != 1:
        raise InvalidModel(f"{path}: there must be one policy in it, not {len(found)}", fix=_FIX)
    try:
        return parse_policy(found[0].yaml.value)
    except InvalidModel as error:
        raise InvalidModel("\n".join(map(found[0].placed, error.faults)), fix=_FIX) from error

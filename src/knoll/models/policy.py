"""A policy on its own: what a Model says of rollouts, without the rest of it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from knoll.errors import Fault, InvalidModel
from knoll.models.dataset import Spec
from knoll.models.spec import GateSpec, RolloutSpec
from knoll.models.units import form
from knoll.models.wording import faults_of_fields

__all__ = ["PolicySpec", "parse_policy"]


class _GatePart(GateSpec):
    """A gate; only its agreement counts."""

    metric: Annotated[str, form("a metric of the family", none="none")] = Field(
        default="", description="Not of a policy"
    )


class PolicySpec(Spec):
    """The parts `rollout` and `gate.minAgreement` of a Model. What is left out has its default."""

    rollout: RolloutSpec = Field(default_factory=RolloutSpec, description="How a version is tried")
    gate: _GatePart = Field(default_factory=_GatePart, description="`minAgreement` alone")


def parse_policy(document: Any) -> PolicySpec:
    """Read a policy. Raises InvalidModel that lists every fault with its path."""
    if not isinstance(document, Mapping):
        raise InvalidModel("a policy is a YAML object with rollout and gate, as in the spec of a Model")
    try:
        policy = PolicySpec.model_validate(document)
    except ValidationError as error:
        raise _invalid(faults_of_fields(error, PolicySpec)) from error
    others = sorted(policy.gate.model_fields_set - {"min_agreement"})
    names = [_GatePart.model_fields[name].alias or name for name in others]
    if names:
        words = "is no part of a policy: of the gate, only minAgreement is; leave it out"
        raise _invalid([Fault(("gate", name), words) for name in names])
    return policy


def _invalid(faults: list[Fault]) -> InvalidModel:
    return InvalidModel("\n  ".join(["the policy has faults:", *map(str, faults)]), faults=faults)

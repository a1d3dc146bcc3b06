"""The Model: what the user declares.

A Model is read strictly, and all its faults are named at once. Unknown fields are faults, because a misspelt
field would train something else without a word.
"""

from knoll.models.card import CardSpec
from knoll.models.document import API_VERSION, KIND, fault_of, parse_model, readable_models
from knoll.models.gate import BoundSpec, GateSpec
from knoll.models.spec import Model, ModelSpec, RolloutSpec

__all__ = [
    "API_VERSION",
    "KIND",
    "BoundSpec",
    "CardSpec",
    "GateSpec",
    "Model",
    "ModelSpec",
    "RolloutSpec",
    "fault_of",
    "parse_model",
    "readable_models",
]

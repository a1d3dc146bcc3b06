"""`knoll families` needs no platform, and shows what the pages of the families show."""

import json

from cli.declared import Knoll
from knoll.families import FAMILIES


def test_families_are_listed_with_their_metrics(knoll: Knoll) -> None:
    told = knoll("families").stdout
    assert all(name in told for name in FAMILIES)
    assert "macro_f1" in told


def test_each_field_of_a_config_has_its_range_and_default(knoll: Knoll) -> None:
    (family,) = json.loads(knoll("families", "image-classifier", "-o", "json").stdout)["families"]
    fields = {one["field"]: one for one in family["config"]}
    assert fields["epochs"] == {
        "field": "epochs",
        "type": "whole number",
        "unit": "passes",
        "range": "≥ 1, ≤ 1000000",
        "default": "12",
        "without": "",
        "meaning": "How often the training goes through the data",
    }
    assert fields["imageWidth"]["without"] == "that of most pictures, or less"
    shown = knoll("families", "image-classifier").stdout
    assert all(name in shown for name in fields)
    assert "accuracy (more is better, 0..1)" in shown


def test_an_unknown_family_is_refused_with_a_suggestion(knoll: Knoll) -> None:
    refused = knoll("families", "dcgam")
    assert refused.exit_code == 1
    assert "did you mean dcgan?" in refused.stderr

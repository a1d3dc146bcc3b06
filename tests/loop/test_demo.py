"""The story of `knoll demo FAMILY`, with an example that is small."""

import time
from pathlib import Path

import pytest
import yaml

from families.test_tabular import PEOPLE, people, table
from knoll.cli.child import platform_child
from knoll.cli.demo_tour import tour
from knoll.media_types import JSON
from knoll.settings import read_settings

pytestmark = [pytest.mark.loop, pytest.mark.timeout(300)]

SCRIPT = """import pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
(folder / "rows.csv").write_bytes({rows!r})
"""


def test_a_family_is_shown_from_its_data_to_an_answer_by_the_second_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example, data = tmp_path / "people", tmp_path / "data"
    example.mkdir()
    data.mkdir()
    (example / "data.py").write_text(SCRIPT.format(rows=table(people())))
    document = {
        "apiVersion": "knoll.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "people"},
        "spec": {
            "family": "tabular",
            "dataset": {"uri": "s3://datasets/people/", "landed": {"when": "marker", "marker": "_SUCCESS"}},
            "training": {"config": {**PEOPLE, "epochs": 8, "batchSize": 32, "width": 16, "blocks": 1}},
            "rollout": {"steps": [50], "minRequests": 2, "bake": "1s", "idle": "replay", "margin": 1},
        },
    }
    (example / "model.yaml").write_text(yaml.safe_dump(document))
    settings = read_settings(home=tmp_path / "home", port=0)
    tour(settings, platform_child, example, data, time.monotonic(), JSON)
    told = capsys.readouterr().out
    assert "people v000002 serves at 100 %" in told
    assert "people v000002 answered in" in told
    assert ", 0 failed." in told

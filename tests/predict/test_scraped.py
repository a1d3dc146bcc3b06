"""A Prometheus that scrapes a predictor knows what the predictor reports."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from knoll.adapters.monitoring_prometheus import PrometheusMonitoring
from knoll.errors import Unavailable
from knoll.events import PREDICTOR_OBSERVED, new_event
from knoll.records.evidence import Report
from knoll.rollout.reports import read_report
from knoll.rollout.scraped import query_of, report_data
from predict.test_predictor import DARK, LIGHT, READY, Files, Start, broker, predict

PROMETHEUS = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
QUERY = query_of("shop", "shade", "v000001")
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: predictors
    static_configs: [{{targets: ["{target}"], labels: {{namespace: shop}}}}]
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def prometheus(folder: Path, target: str, until: Callable[..., None]) -> Iterator[PrometheusMonitoring]:
    """A real server that scrapes the target each second."""
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        str(PROMETHEUS),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
    ]
    with (folder / "log").open("w") as log:
        listen = f"--web.listen-address={url.removeprefix('http://')}"
        process = subprocess.Popen([*command, listen], stdout=log, stderr=log)
    try:
        until(lambda: is_ready(url), 60.0)
        yield PrometheusMonitoring(url)
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def scraped(monitoring: PrometheusMonitoring) -> list[Report]:
    """The reports that follow from what was scraped by now."""
    data = report_data(monitoring.query(QUERY))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    events = [new_event(PREDICTOR_OBSERVED, source="/test", time=at, data={**one}) for one in data]
    return [read_report("shade", event) for event in events]


@pytest.mark.skipif(not PROMETHEUS, reason="there is no prometheus here: apt-get install prometheus")
def test_what_prometheus_has_scraped_is_what_the_predictor_reports(
    start: Start, files_of: Files, classifier: Any, tmp_path: Path, until: Callable[..., None]
) -> None:
    """All counts, buckets and bins, also after the predictor has gone."""
    with broker() as (sink, events):
        predictor = start("shade", files_of(classifier), sink)
        assert predictor.wait_ready(READY), predictor.stop()
        target = predictor.url.removeprefix("http://")
        with prometheus(tmp_path, target, until) as monitoring:
            with httpx.Client(base_url=predictor.url, trust_env=False) as client:
                for picture in (LIGHT, DARK, LIGHT, "x"):
                    predict(client, picture)
                    predict(client, picture, **{"x-knoll-session": "ada"})
            until(lambda: [one.requests for one in scraped(monitoring)] == [8], 60.0)
            predictor.stop()
            until(lambda: monitoring.query("up")[0].value == 0, 60.0)
            (found,) = scraped(monitoring)
            assert monitoring.query(query_of("another", "shade", "v000001")) == []
            with pytest.raises(Unavailable, match="refuses the query"):
                monitoring.query("{")
    reported = replace(read_report("shade", events[-1]), reported_at=found.reported_at)
    assert found == reported
    assert (found.requests, found.refused, found.sessions) == (8, 2, 1)


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no connection"):
        PrometheusMonitoring(f"http://127.0.0.1:{free_port()}").query("up")


def test_a_server_that_is_no_prometheus_is_unavailable() -> None:
    with broker() as (url, _), pytest.raises(Unavailable):
        PrometheusMonitoring(f"{url}/nowhere").query("up")

"""What Prometheus has scraped, by its HTTP API."""

from collections.abc import Sequence

import httpx

from knoll.adapters.http_faults import why_no_answer
from knoll.errors import Unavailable
from knoll.ports import MetricSample

__all__ = ["PrometheusMonitoring"]

_SECONDS = 5.0


class PrometheusMonitoring:
    """`ports.Monitoring` over HTTP. Threads may share it."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.Client(trust_env=False, timeout=_SECONDS)

    def query(self, expression: str) -> Sequence[MetricSample]:
        """See `ports.Monitoring.query`."""
        try:
            answer = self._client.post(f"{self._url}/api/v1/query", data={"query": expression})
            body = answer.json()
            found = body["data"]["result"] if body["status"] == "success" else None
            if found is not None:
                return [MetricSample(one["metric"], float(one["value"][1])) for one in found]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"Prometheus does not answer: {why_no_answer(error)}") from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise Unavailable(f"{self._url} is no Prometheus: it answers {answer.status_code}") from error
        raise Unavailable(f"Prometheus refuses the query: {str(body.get('error'))[:200]}")

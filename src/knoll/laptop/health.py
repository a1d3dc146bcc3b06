"""What a running platform says of its own health."""

import httpx

from knoll.quoting import escaped

__all__ = ["health_fault"]

_SECONDS = 5.0


def health_fault(url: str) -> str:
    """Why the platform at a URL is not well; "" if it is."""
    try:
        answer = httpx.get(f"{url}/healthz", timeout=_SECONDS, trust_env=False)
        return "" if answer.is_success else escaped(str(answer.json()["error"]))
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return f"{url}/healthz does not answer"

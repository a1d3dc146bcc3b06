"""Questions to hooks over HTTP. Whoever writes a Model chooses the URLs, so anything may be behind them.

The whole exchange has one time-out. A redirect is not followed, and only the beginning of a text is read.
Names are resolved here, and the connection goes to the address that was checked. A link-local address gets no
request, because clouds keep the keys of machines there.
"""

import asyncio
import ipaddress
import socket
from typing import Any

import httpx

from knoll.adapters.http_faults import why_no_answer
from knoll.headers import ACCEPT_ENCODING, CONTENT_TYPE, HOST, IDEMPOTENCY_KEY
from knoll.hooks import HookAnswer, HookRequest
from knoll.media_types import JSON

__all__ = ["HttpHooks"]

_MOST = 4096  # bytes of a text
_PORTS = {"http": 80, "https": 443}


class _Refused(Exception):
    """The URL leads to a place that gets no request."""


class HttpHooks:
    """`ports.Hooks` over HTTP. Threads may share it; none of them may run an event loop."""

    def ask(self, request: HookRequest) -> HookAnswer:
        """See `ports.Hooks.ask`."""
        try:
            return asyncio.run(asyncio.wait_for(_post(request), request.seconds))
        except TimeoutError:
            return HookAnswer(0, f"no answer within {request.seconds:g} s")
        except _Refused as error:
            return HookAnswer(0, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return HookAnswer(0, why_no_answer(error))


async def _post(request: HookRequest) -> HookAnswer:
    url = httpx.URL(request.url)
    address = await _address_of(url)
    headers = {CONTENT_TYPE: JSON, HOST: url.netloc.decode(), IDEMPOTENCY_KEY: request.id}
    headers |= {ACCEPT_ENCODING: "identity"}
    named: dict[str, Any] = {"extensions": {"sni_hostname": url.host}} if url.scheme == "https" else {}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=request.seconds) as client,
        client.stream(
            "POST", url.copy_with(host=address), content=request.body, headers=headers, **named
        ) as answer,
    ):
        return HookAnswer(answer.status_code, await _text_of(answer))


async def _text_of(answer: httpx.Response) -> str:
    """The beginning of the text; what is no UTF-8 in it is marked."""
    text = b""
    async for part in answer.aiter_raw():
        text += part
        if len(text) >= _MOST:
            break
    return text[:_MOST].decode(errors="replace")


async def _address_of(url: httpx.URL) -> str:
    """The first address of the host. Raises _Refused if one of them is link-local, OSError if there is
    none."""
    port = url.port or _PORTS[url.scheme]
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]).partition("%")[0] for one in found]
    if any(map(_is_link_local, addresses)):
        raise _Refused(f"{url.host} has a link-local address, and no hook is asked there")
    return addresses[0]


def _is_link_local(text: str) -> bool:
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_link_local)

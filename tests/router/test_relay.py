"""What a client is told of a predictor that gave no answer: no address, and no words of libraries."""

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from knoll.router.relay import why_no_answer

KEY = ConnectionKey("10.0.0.7", 8080, False, True, None, None, None)
CLOSED = "it closed the connection before its answer was complete"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(111, "Connect call failed")), "it takes no connection"),
        (aiohttp.ServerDisconnectedError(), CLOSED),
        (aiohttp.ClientPayloadError("Response payload is not completed"), CLOSED),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), CLOSED),
    ],
)
def test_why_there_is_no_answer_is_told_without_an_address(error: aiohttp.ClientError, told: str) -> None:
    assert why_no_answer(error) == told

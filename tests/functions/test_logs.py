"""What a stranger has written never acts on the terminal that shows a log."""

import logging
from io import StringIO

import pytest

from knoll.wiring.logs import EscapedRecord, escape_logs

EVIL = "a\x1b[2J\r\nFAKE line\u202e"


@pytest.fixture
def log() -> StringIO:
    """What a handler of any library writes."""
    written, before = StringIO(), logging.getLogRecordFactory()
    escape_logs()
    logger = logging.getLogger("stranger")
    handler = logging.StreamHandler(written)
    logger.addHandler(handler)
    logger.warning("key %s", EVIL)
    try:
        raise ValueError(EVIL)
    except ValueError:
        logger.exception("it failed")
    logger.removeHandler(handler)
    logging.setLogRecordFactory(before)
    return written


def test_messages_and_tracebacks_are_escaped(log: StringIO) -> None:
    first, *rest = log.getvalue().splitlines()
    assert first == "key a\\x1b[2J\\x0d\\x0aFAKE line\\u202e"
    assert "\x1b" not in log.getvalue()
    assert "\u202e" not in log.getvalue()
    assert "\r" not in log.getvalue()
    assert rest[:2] == ["it failed", "Traceback (most recent call last):"]


def test_a_record_without_an_exception_has_no_traceback() -> None:
    record = EscapedRecord("x", logging.INFO, "x.py", 1, "fine", (), None)
    assert (record.getMessage(), record.exc_text) == ("fine", None)

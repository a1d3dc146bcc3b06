"""Why bytes are not JSON, in words of ours: a parser's own words name its states, not what the writer did. A
fault that no table here knows is told by its place."""

import json
import re

__all__ = ["HALF_A_PAIR", "NO_NUMBER", "TOO_LARGE", "json_fault", "why_not_json", "why_unwritable"]

HALF_A_PAIR = "a text has half of a surrogate pair, \\ud800 to \\udfff, without the other half"
NO_NUMBER = "NaN and Infinity are no JSON numbers"
TOO_LARGE = "a number is too large for 64 bits"

_WHOLE = {  # what the body is instead, by its first bytes
    "it begins with a byte order mark, which JSON does not allow": rb"\xef\xbb\xbf|\xff\xfe|\xfe\xff",
    "it is a form (multipart/form-data)": rb"(?i)--[^\r\n]+\r?\ncontent-",
    "it is a form, or its keys and values are joined by =": rb"[\w.%+-]+=",
}
_AT = {  # by the bytes at the fault
    NO_NUMBER: rb"NaN|Infinity",
    "write true, false and null as JSON does": rb"True|False|None|undefined",
    "texts stand in double quotes": rb"'",
    "it has a comment, and JSON has none": rb"//|/\*|#",
}
_SAID = {  # by words of the parsers orjson and json
    "depth limit": "it is nested too deeply: more than 1,024 lists and objects",
    "surrogate in string": HALF_A_PAIR,
    "infinity": TOO_LARGE,
    "end of data": "its end is missing",
    "Unterminated string": "a text has no closing quote",
    "after document": "something follows its end",
    "Extra data": "something follows its end",
    "delimiter": "a comma, a colon or a closing bracket must stand here",
    "trailing comma": "a comma stands before a closing bracket",
    "leading zero": "a number has a zero before its other digits",
    "ontrol character": "a text has a bare line break or another control character; write \\n or \\u000a",
    "escape": "a text has a backslash that begins no escape; write two",
    "string key": "a key must stand here, in double quotes",
    "property name": "a key must stand here, in double quotes",
}
_UNWRITABLE = {  # by what Python raises
    RecursionError: "it is nested too deeply",
    ValueError: "a number in it is NaN or infinite, or a part of it lies in itself",
    TypeError: "something in it is no object, list, text, number, true, false or null",
}


def why_unwritable(error: Exception) -> str:
    """Why a value of Python has no JSON, by what `json.dumps` has raised."""
    return next(words for kind, words in _UNWRITABLE.items() if isinstance(error, kind))


def why_not_json(body: bytes) -> str:
    """What is wrong with a body that another parser has refused, and where."""
    if not body.strip():
        return "it is empty"
    if whole := _whole(body):
        return whole
    try:
        json.loads(body.decode())
    except json.JSONDecodeError as error:
        return json_fault(body, error)
    except UnicodeDecodeError as error:
        return _not_utf8(body, error)
    except (ValueError, RecursionError):  # a number of thousands of digits
        pass
    return "it is nested too deeply, or a number is too large, or a text has half of a surrogate pair"


def json_fault(body: bytes, error: json.JSONDecodeError) -> str:
    """What is wrong, and where, as the parser has found it."""
    if whole := _whole(body):
        return whole
    try:
        text = body.decode()
    except UnicodeDecodeError as fault:
        return _not_utf8(body, fault)
    place = text[error.pos : error.pos + 10].encode().lstrip(b"-")
    at = next((fault for fault, begin in _AT.items() if re.match(begin, place)), "")
    said = next((fault for words, fault in _SAID.items() if words in error.msg), "no value can begin so")
    if error.pos >= len(text.rstrip()):
        said = "its end is missing"
    return f"line {error.lineno}, column {error.colno}: {at or said}"


def _whole(body: bytes) -> str:
    return next((fault for fault, begin in _WHOLE.items() if re.match(begin, body)), "")


def _not_utf8(body: bytes, fault: UnicodeDecodeError) -> str:
    return f"it is not in UTF-8, from byte {fault.start + 1} of {len(body)}"

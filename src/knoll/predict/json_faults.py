"""Why the body of a request is not JSON, in words of ours: the parser's own words name its states, not what
the client did. A fault that no table here knows is told by its place."""

import re

import orjson

__all__ = ["json_fault"]

_WHOLE = {  # what the body is instead, by its first bytes
    "it begins with a byte order mark, which JSON does not allow": rb"\xef\xbb\xbf|\xff\xfe|\xfe\xff",
    "it is a form (multipart/form-data)": rb"(?i)--[^\r\n]+\r?\ncontent-",
    "it is a form, or its keys and values are joined by =": rb"[\w.%+-]+=",
}
_AT = {  # by the bytes at the fault
    "NaN and Infinity are no JSON numbers": rb"NaN|Infinity",
    "write true, false and null as JSON does": rb"True|False|None|undefined",
    "texts stand in double quotes": rb"'",
    "it has a comment, and JSON has none": rb"//|/\*|#",
}
_SAID = {  # by a word of the parser
    "depth limit": "it is nested too deeply: more than 1,024 lists and objects",
    "surrogate in string": "a text has half of a surrogate pair, \\ud800 to \\udfff, without the other half",
    "infinity": "a number is too large for 64 bits",
    "end of data": "its end is missing",
    "after document": "something follows its end",
    "trailing comma": "a comma stands before a closing bracket",
    "leading zero": "a number has a zero before its other digits",
    "control character": "a text has a bare line break or another control character; write \\n or \\u000a",
    "escaped": "a text has a backslash that begins no escape; write two",
    "string key": "a key must stand here, in double quotes",
}


def json_fault(body: bytes, error: orjson.JSONDecodeError) -> str:
    """What is wrong, and where."""
    if whole := next((fault for fault, begin in _WHOLE.items() if re.match(begin, body)), ""):
        return whole
    try:
        text = body.decode()
    except UnicodeDecodeError as fault:
        return f"it is not in UTF-8, from byte {fault.start + 1} of {len(body)}"
    place = text[error.pos : error.pos + 10].encode().lstrip(b"-")
    at = next((fault for fault, begin in _AT.items() if re.match(begin, place)), "")
    said = next((fault for words, fault in _SAID.items() if words in error.msg), "no value can begin so")
    return f"line {error.lineno}, column {error.colno}: {at or said}"

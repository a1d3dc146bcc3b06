"""Server reflection: which services there are, and the descriptors of their messages."""

from collections.abc import Mapping
from typing import Any

from knoll.rpc.descriptors import FILES, file_of
from knoll.rpc.framing import NOT_FOUND, UNIMPLEMENTED
from knoll.rpc.messages import MESSAGES, SERVICES

__all__ = ["answer_reflection"]


def answer_reflection(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one question."""
    told = {"original_request": asked}
    if "list_services" in asked:
        return {**told, "list_services_response": {"service": [{"name": one} for one in sorted(SERVICES)]}}
    if "file_by_filename" in asked:
        wanted = asked["file_by_filename"]
        package = next((one for one, name in FILES.items() if name == wanted), None)
    elif "file_containing_symbol" in asked:
        package = _package(asked["file_containing_symbol"])
    else:
        return {**told, "error_response": _error(UNIMPLEMENTED, "there are no extensions")}
    if package is None:
        return {**told, "error_response": _error(NOT_FOUND, "there is no such file or symbol")}
    return {**told, "file_descriptor_response": {"file_descriptor_proto": [file_of(package)]}}


def _package(symbol: str) -> str | None:
    """The package of a service, a method, a message, or a field of one."""
    names = {*SERVICES, *MESSAGES}
    owner = symbol if symbol in names else symbol.rpartition(".")[0]
    if owner not in names:
        return None
    return max((one for one in FILES if owner.startswith(f"{one}.")), key=len, default=None)


def _error(code: int, message: str) -> Mapping[str, Any]:
    return {"error_code": code, "error_message": message}

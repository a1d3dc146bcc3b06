"""Descriptors of the services, which server reflection answers: one file for each package, made of
`messages`. With them a client such as grpcurl needs no file of ours."""

from collections.abc import Iterator, Mapping
from typing import Any

from knoll.rpc.fields import MessageField
from knoll.rpc.messages import ENUMS, MESSAGES, SERVICES, Method
from knoll.rpc.writing import encode

__all__ = ["FILES", "file_of"]

FILES = {  # by package
    "inference": "open_inference_grpc.proto",
    "grpc.health.v1": "grpc/health/v1/health.proto",
    "grpc.reflection.v1": "grpc/reflection/v1/reflection.proto",
    "grpc.reflection.v1alpha": "grpc/reflection/v1alpha/reflection.proto",
}
_KINDS = {  # numbers of descriptor.proto
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "bool": 8,
    "string": 9,
    "bytes": 12,
    "uint32": 13,
    "enum": 14,
}
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3


def _text(number: int, name: str) -> MessageField:
    return MessageField(number, "", "string", name)


def _many(number: int, kind: str, name: str) -> MessageField:
    return MessageField(number, "repeated", kind, name)


_SCHEMA = {  # as far as it is needed here: `descriptor.proto`
    "file": [
        _text(1, "name"),
        _text(2, "package"),
        _many(4, "message", "message_type"),
        _many(6, "service", "service"),
        _text(12, "syntax"),
    ],
    "message": [
        _text(1, "name"),
        _many(2, "field", "field"),
        _many(3, "message", "nested_type"),
        _many(4, "enum type", "enum_type"),
        MessageField(7, "", "options", "options"),
        _many(8, "oneof", "oneof_decl"),
    ],
    "field": [
        _text(1, "name"),
        MessageField(3, "", "int32", "number"),
        MessageField(4, "", "enum", "label"),
        MessageField(5, "", "enum", "type"),
        _text(6, "type_name"),
        MessageField(9, "present", "int32", "oneof_index"),
    ],
    "oneof": [_text(1, "name")],
    "options": [MessageField(7, "", "bool", "map_entry")],
    "enum type": [_text(1, "name"), _many(2, "enum value", "value")],
    "enum value": [_text(1, "name"), MessageField(2, "present", "int32", "number")],
    "service": [_text(1, "name"), _many(2, "method", "method")],
    "method": [
        _text(1, "name"),
        _text(2, "input_type"),
        _text(3, "output_type"),
        MessageField(5, "", "bool", "client_streaming"),
        MessageField(6, "", "bool", "server_streaming"),
    ],
}


def file_of(package: str) -> bytes:
    """The FileDescriptorProto of a package."""
    services = {one: methods for one, methods in SERVICES.items() if one.rpartition(".")[0] == package}
    made = {
        "name": FILES[package],
        "package": package,
        "message_type": [*_inside(package)],
        "service": [_service(one, methods) for one, methods in services.items()],
        "syntax": "proto3",
    }
    return encode(made, "file", _SCHEMA)


def _inside(owner: str) -> Iterator[Mapping[str, Any]]:
    for name, fields in MESSAGES.items():
        if name.rpartition(".")[0] == owner:
            oneofs = [*dict.fromkeys(one.label for one in fields if _is_oneof(one))]
            yield {
                "name": name.rpartition(".")[2],
                "field": [_field(name, one, oneofs) for one in fields],
                "nested_type": [*_inside(name)],
                "enum_type": [_enum(*ENUMS[name])] if name in ENUMS else [],
                "options": {"map_entry": True} if name.endswith("Entry") else None,
                "oneof_decl": [{"name": one} for one in oneofs],
            }


def _is_oneof(field: MessageField) -> bool:
    return bool(field.label) and not field.is_repeated


def _field(owner: str, field: MessageField, oneofs: list[str]) -> Mapping[str, Any]:
    named = f".{owner}.{ENUMS[owner][0]}" if field.kind == "enum" else f".{field.kind}"
    return {
        "name": field.name,
        "number": field.number,
        "label": _REPEATED if field.is_repeated else _OPTIONAL,
        "type": _KINDS.get(field.kind, _MESSAGE),
        "type_name": named if field.kind == "enum" or field.kind not in _KINDS else "",
        "oneof_index": oneofs.index(field.label) if _is_oneof(field) else None,
    }


def _enum(name: str, values: tuple[str, ...]) -> Mapping[str, Any]:
    return {"name": name, "value": [{"name": one, "number": index} for index, one in enumerate(values)]}


def _service(name: str, methods: Mapping[str, Method]) -> Mapping[str, Any]:
    return {
        "name": name.rpartition(".")[2],
        "method": [
            {
                "name": called,
                "input_type": f".{one.takes}",
                "output_type": f".{one.answers}",
                "client_streaming": one.takes_many,
                "server_streaming": one.answers_many,
            }
            for called, one in methods.items()
        ],
    }

"""The messages and services that a predictor speaks by gRPC: those of the Open Inference Protocol, of
grpc.health.v1 and of server reflection.

The numbers of the fields are those of the specifications: open_inference_grpc.proto of the Open Inference
Protocol, health.proto and reflection.proto of gRPC. The descriptors that reflection shows are made of these
lines, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from knoll.rpc.fields import NUMBERS, MessageField

__all__ = ["ENUMS", "HEALTH", "INFERENCE", "MESSAGES", "REFLECTION", "SERVICES", "Method"]

INFERENCE, HEALTH = "inference.GRPCInferenceService", "grpc.health.v1.Health"
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")

_INFERENCE = """
ServerLiveRequest
ServerLiveResponse
    1 bool live
ServerReadyRequest
ServerReadyResponse
    1 bool ready
ModelReadyRequest
    1 string name
    2 string version
ModelReadyResponse
    1 bool ready
ServerMetadataRequest
ServerMetadataResponse
    1 string name
    2 string version
    3 repeated string extensions
ModelMetadataRequest
    1 string name
    2 string version
ModelMetadataResponse
    1 string name
    2 repeated string versions
    3 string platform
    4 repeated ModelMetadataResponse.TensorMetadata inputs
    5 repeated ModelMetadataResponse.TensorMetadata outputs
ModelMetadataResponse.TensorMetadata
    1 string name
    2 string datatype
    3 repeated int64 shape
ModelInferRequest
    1 string model_name
    2 string model_version
    3 string id
    4 map InferParameter parameters
    5 repeated ModelInferRequest.InferInputTensor inputs
    6 repeated ModelInferRequest.InferRequestedOutputTensor outputs
    7 repeated bytes raw_input_contents
ModelInferRequest.InferInputTensor
    1 string name
    2 string datatype
    3 repeated int64 shape
    4 map InferParameter parameters
    5 InferTensorContents contents
ModelInferRequest.InferRequestedOutputTensor
    1 string name
    2 map InferParameter parameters
ModelInferResponse
    1 string model_name
    2 string model_version
    3 string id
    4 map InferParameter parameters
    5 repeated ModelInferResponse.InferOutputTensor outputs
    6 repeated bytes raw_output_contents
ModelInferResponse.InferOutputTensor
    1 string name
    2 string datatype
    3 repeated int64 shape
    4 map InferParameter parameters
    5 InferTensorContents contents
InferParameter
    1 parameter_choice: bool bool_param
    2 parameter_choice: int64 int64_param
    3 parameter_choice: string string_param
InferTensorContents
    1 repeated bool bool_contents
    2 repeated int32 int_contents
    3 repeated int64 int64_contents
    4 repeated uint32 uint_contents
    5 repeated uint64 uint64_contents
    6 repeated float fp32_contents
    7 repeated double fp64_contents
    8 repeated bytes bytes_contents
"""
_HEALTH = """
HealthCheckRequest
    1 string service
HealthCheckResponse
    1 enum status
"""
_REFLECTION = """
ServerReflectionRequest
    1 string host
    3 message_request: string file_by_filename
    4 message_request: string file_containing_symbol
    5 message_request: ExtensionRequest file_containing_extension
    6 message_request: string all_extension_numbers_of_type
    7 message_request: string list_services
ExtensionRequest
    1 string containing_type
    2 int32 extension_number
ServerReflectionResponse
    1 string valid_host
    2 ServerReflectionRequest original_request
    4 message_response: FileDescriptorResponse file_descriptor_response
    5 message_response: ExtensionNumberResponse all_extension_numbers_response
    6 message_response: ListServiceResponse list_services_response
    7 message_response: ErrorResponse error_response
FileDescriptorResponse
    1 repeated bytes file_descriptor_proto
ExtensionNumberResponse
    1 string base_type_name
    2 repeated int32 extension_number
ListServiceResponse
    1 repeated ServiceResponse service
ServiceResponse
    1 string name
ErrorResponse
    1 int32 error_code
    2 string error_message
"""
_PLAIN = {*NUMBERS, "string", "bytes", "enum"}


@dataclass(frozen=True)
class Method:
    """A method: the messages that it takes and answers, and which of both come in a stream."""

    takes: str
    answers: str
    takes_many: bool = False
    answers_many: bool = False


def _method(service: str, name: str, *, takes_many: bool = False, answers_many: bool = False) -> Method:
    named = f"{service.rpartition('.')[0]}.{name}"
    return Method(f"{named}Request", f"{named}Response", takes_many, answers_many)


_CALLS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
SERVICES: Mapping[str, Mapping[str, Method]] = {
    INFERENCE: {name: _method(INFERENCE, name) for name in _CALLS},
    HEALTH: {
        "Check": _method(HEALTH, "HealthCheck"),
        "Watch": _method(HEALTH, "HealthCheck", answers_many=True),
    },
    **{
        one: {"ServerReflectionInfo": _method(one, "ServerReflection", takes_many=True, answers_many=True)}
        for one in REFLECTION
    },
}
ENUMS = {  # by the message that they are in: name, and the names of 0, 1, …
    "grpc.health.v1.HealthCheckResponse": (
        "ServingStatus",
        ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"),
    )
}


def _messages(package: str, lines: str) -> Iterator[tuple[str, Sequence[MessageField]]]:
    """Each message with its fields, as `number [label] kind name`; `oneof:` is a label. Behind it come the
    entries of its maps."""
    name, fields = "", list[MessageField]()
    for line in [*lines.strip().split("\n"), "end"]:
        if not line.startswith(" "):
            if name:
                yield f"{package}.{name}", fields
            name, fields = line, []
            continue
        number, *labels, kind, called = line.split()
        label = "".join(labels).removesuffix(":")
        whole = kind if kind in _PLAIN else f"{package}.{kind}"
        if label == "map":
            entry = f"{package}.{name}.{called.capitalize()}Entry"
            yield entry, [MessageField(1, "", "string", "key"), MessageField(2, "", whole, "value")]
            whole = entry
        fields.append(MessageField(int(number), label, whole, called))


MESSAGES: Mapping[str, Sequence[MessageField]] = {
    name: fields
    for package, lines in (
        ("inference", _INFERENCE),
        ("grpc.health.v1", _HEALTH),
        *((one.rpartition(".")[0], _REFLECTION) for one in REFLECTION),
    )
    for name, fields in _messages(package, lines)
}

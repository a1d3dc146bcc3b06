"""Names of parameters in V2 requests and answers: those of the extension for binary tensors, and one of
knoll."""

__all__ = ["BINARY", "BINARY_OUTPUT", "BINARY_SIZE", "DESCRIBE_OUTPUTS"]

BINARY = "binary_data"  # of an output: whether it is wanted in binary form
BINARY_OUTPUT = "binary_data_output"  # of a request: whether the outputs are wanted in binary form
BINARY_SIZE = "binary_data_size"  # of a tensor: how many of the bytes behind the JSON are its own
DESCRIBE_OUTPUTS = "describe_outputs"  # of a request, knoll's own: whether the outputs say what they mean

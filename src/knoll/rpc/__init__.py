"""gRPC beneath its services: the wire format of messages, the messages themselves, and how a call travels."""

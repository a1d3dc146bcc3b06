"""The media types that knoll sends and asks for."""

__all__ = ["ANY_BYTES", "CLOUD_EVENT", "JSON", "PNG", "TEXT"]

JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"  # a whole event in the body
PNG = "image/png"
TEXT = "text/plain; charset=utf-8"
ANY_BYTES = "application/octet-stream"

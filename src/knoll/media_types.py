"""The media types that knoll sends and asks for."""

__all__ = ["ANY_BYTES", "CLOUD_EVENT", "HTML", "JSON", "METRICS", "PNG", "TEXT"]

JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"  # a whole event in the body
HTML = "text/html; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"  # of Prometheus
PNG = "image/png"
TEXT = "text/plain; charset=utf-8"
ANY_BYTES = "application/octet-stream"

"""The media types that knoll sends and asks for."""

__all__ = ["ANY_BYTES", "CLOUD_EVENT", "FORM", "GRPC", "HTML", "JSON", "METRICS", "PNG", "TEXT"]

JSON = "application/json"
CLOUD_EVENT = "application/cloudevents+json"  # a whole event in the body
FORM = "application/x-www-form-urlencoded"  # what curl -d calls its body
GRPC = "application/grpc"  # and what begins so, as in application/grpc+proto
HTML = "text/html; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"  # of Prometheus
PNG = "image/png"
TEXT = "text/plain; charset=utf-8"
ANY_BYTES = "application/octet-stream"

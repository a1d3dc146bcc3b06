"""The pages of a predictor that are made when somebody asks for them: its metrics, and the description of its
paths for programs (OpenAPI) and for people."""

import html
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from knoll.headers import CONTENT_TYPE
from knoll.media_types import HTML, JSON, METRICS
from knoll.predict.answer import Answer

__all__ = ["pages"]

_DOCUMENT = Path(__file__).with_name("openapi.json")
_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}}</style>
<h1>{title}</h1><p>{description}</p>
"""


def pages(metrics: Callable[[], bytes]) -> Mapping[str, Callable[[], Answer]]:
    """What makes the answers by path, for GET. `metrics` are for Prometheus."""
    return {
        "/metrics": lambda: Answer(200, metrics(), {CONTENT_TYPE: METRICS}),
        "/openapi.json": lambda: Answer(200, _DOCUMENT.read_bytes(), {CONTENT_TYPE: JSON}),
        "/docs": lambda: Answer(200, _shown(orjson.loads(_DOCUMENT.read_bytes())), {CONTENT_TYPE: HTML}),
    }


def _shown(document: Mapping[str, Any]) -> bytes:
    """An OpenAPI document as a page that needs no script and nothing from elsewhere."""
    info = {name: html.escape(str(value)) for name, value in document["info"].items()}
    rows = [
        f"<h2><code>{html.escape(f'{method.upper()} {path}')}</code></h2><p>{html.escape(one['summary'])}</p>"
        f"<ul>{''.join(_answers(document, one))}</ul>"
        for path, methods in document["paths"].items()
        for method, one in methods.items()
        if method in ("get", "post")
    ]
    return (_HEAD.format(**info) + "\n".join(rows)).encode()


def _answers(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        named = answer.get("$ref", "").rpartition("/")[2]
        found = document["components"]["responses"][named] if named else answer
        yield f"<li>{status}: {html.escape(found['description'])}</li>"

"""What is sent in place of a PNG or JPEG, by its first bytes."""

import re

__all__ = ["foreign_kind"]

_HEAD = 1024
_OTHERS = {
    "a GIF": rb"GIF8",
    "a BMP": rb"BM.{4}\0{4}",
    "a TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "a WebP": rb"RIFF.{4}WEBP",
    "a HEIC or AVIF": rb".{4}ftyp(hei|hev|mif1|msf1|avi)",
    "a video": rb".{4}ftyp|\x1aE\xdf\xa3",
    "a JPEG XL": rb"\xff\x0a|\0{3}\x0cJXL ",
    "a JPEG 2000": rb"\0{3}\x0cjP  ",
    "a Photoshop file": rb"8BPS",
    "a PDF": rb"%PDF",
    "a zip archive": rb"PK\x03\x04",
    "an SVG": rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg",
    "an icon": rb"\0\0\x01\0|icns",
    "a PPM, PGM or PBM": rb"P[1-6]\s",
    "a PCX": rb"\x0a[\0-\x05]\x01",
    "a DDS": rb"DDS ",
    "a QOI": rb"qoif",
    "a gzip": rb"\x1f\x8b",
    "a git-lfs pointer, not the file that it stands for": rb"version https://git-lfs",
    "an error of a store, not an object": rb"\s*(<\?xml[^>]*>\s*)?<Error>",
    "a PEM key or certificate": rb"-----BEGIN ",
    "a data URI": rb"data:",
    "a link": rb"(?i)(https?|s3|gs|file)://",
    "base64 again, encoded twice": rb"iVBORw0KGg|/9j/",
    "JSON": rb"\s*[{\[]",
    "a web page": rb"(?i)\s*<(!doctype )?html",
    "a TGA": rb".[\0\x01][\x01-\x03\x09-\x0b].{13}[\x08\x0f\x10\x18\x20][\0-\x3f]",
}
_KINDS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _OTHERS.items()}


def foreign_kind(body: bytes) -> str:
    """Its kind with an article; "" if it is not known."""
    return next((name for name, pattern in _KINDS.items() if pattern.match(body[:_HEAD])), "")

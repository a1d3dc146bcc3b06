"""What bytes are by their first ones: a PNG or JPEG, or what is sent in its place."""

import re

__all__ = ["JPEG", "PNG", "foreign_kind", "is_picture", "picture_kind"]

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_HEAD = 1024
_PICTURES = {
    "a GIF": rb"GIF8",
    "a BMP": rb"BM.{4}\0{4}",
    "a TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "a WebP": rb"RIFF.{4}WEBP",
    "a HEIC or AVIF": rb".{4}ftyp(hei|hev|mif1|msf1|avi)",
}
_OTHERS = {
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
    "a WAV": rb"(RIFF|RIFX|RF64|BW64).{4}WAVE",
    "a FLAC": rb"fLaC",
    "an MP3": rb"ID3|\xff[\xf2\xf3\xfa\xfb]",
    "an Ogg": rb"OggS",
    "an AIFF": rb"FORM.{4}AIF",
    "JSON": rb"\s*[{\[]",
    "a web page": rb"(?i)\s*<(!doctype )?html",
    "a TGA": rb".[\0\x01][\x01-\x03\x09-\x0b].{13}[\x08\x0f\x10\x18\x20][\0-\x3f]",
}
_KINDS = {name: re.compile(one, re.DOTALL) for name, one in (_PICTURES | _OTHERS).items()}


def is_picture(body: bytes) -> bool:
    """Whether the bytes begin as a PNG or JPEG."""
    return body.startswith((PNG, JPEG))


def picture_kind(body: bytes) -> str:
    """The kind of a picture, also of one that is cut off or not read, with an article; "" for anything
    else."""
    if body.startswith((PNG[:4], JPEG)):
        return "a JPEG" if body.startswith(JPEG) else "a PNG"
    return next((name for name in _PICTURES if _KINDS[name].match(body[:_HEAD])), "")


def foreign_kind(body: bytes) -> str:
    """Its kind with an article; "" if it is not known."""
    return next((name for name, pattern in _KINDS.items() if pattern.match(body[:_HEAD])), "")

"""A picture as characters, for a terminal."""

import io

__all__ = ["draw"]

_SHADES = " .:-=+*#%@"


def draw(png: bytes, width: int = 16) -> str:
    """A PNG in shades of grey, two characters for each pixel, `width` pixels wide."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        grey = image.convert("L").resize((width, max(1, round(width * image.height / image.width))))
        pixels = grey.tobytes()
        rows = (pixels[start : start + width] for start in range(0, len(pixels), width))
        return "\n".join("".join(_SHADES[value * len(_SHADES) // 256] * 2 for value in row) for row in rows)

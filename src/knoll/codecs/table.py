"""The kinds of codecs by the names that signatures have for them."""

from collections.abc import Mapping

from knoll.codecs.basket import BASKET
from knoll.codecs.classes import CLASSES
from knoll.codecs.codec import Codec
from knoll.codecs.latent import LATENT
from knoll.codecs.picture import IMAGE
from knoll.codecs.ranking import RANKING
from knoll.codecs.row import ROW
from knoll.codecs.series import SERIES
from knoll.codecs.tensor import TENSOR
from knoll.codecs.text import TEXT

__all__ = ["CODECS"]

CODECS: Mapping[str, Codec] = {
    one.name: one for one in (BASKET, CLASSES, IMAGE, LATENT, RANKING, ROW, SERIES, TENSOR, TEXT)
}

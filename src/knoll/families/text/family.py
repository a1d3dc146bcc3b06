"""The family of texts, made of its parts."""

from knoll.families.base import Family
from knoll.families.text.data import TextData
from knoll.families.text.declaration import TextConfig, TextDeclaration
from knoll.families.text.export import TextExport
from knoll.families.text.learning import TextLearning

__all__ = ["TextClassifier"]


class TextClassifier(TextDeclaration, TextData, TextLearning, TextExport, Family[TextConfig]):
    """The family `text-classifier`. A batch is (tokens as int32 (B, T), class numbers (B,)); token 0 is
    none."""

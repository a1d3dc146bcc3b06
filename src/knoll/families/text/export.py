"""The served network answers with probabilities; its samples are held-out texts."""

from typing import cast

from torch import nn

from knoll.codecs.classes import CLASSES
from knoll.codecs.text import TEXT
from knoll.families.base import Examples, Export, ExportPart, draw_rows
from knoll.families.text.declaration import TextConfig
from knoll.families.text.network import TextNetwork
from knoll.families.text.tokens import texts_of, tokenize
from knoll.records.signature import Signature, Tensor

__all__ = ["TextExport"]

_TOKENIZER = "tokenizer.json"


class TextExport(ExportPart[TextConfig]):
    """A text in, a label and its probabilities out."""

    def export(self, networks: nn.ModuleDict, examples: Examples, config: TextConfig) -> Export:
        """The network with a softmax, and its tokenizer."""
        about, (chosen, targets) = examples.about, draw_rows(*examples.held_out)
        content, size, labels = about["tokenizer"]["content"], about["tokens"], about["classes"]
        pairs = zip(texts_of(content, chosen), targets.tolist(), strict=True)
        samples = [(text, labels[target]) for text, target in pairs if text.strip()]
        texts = tuple(text for text, _ in samples)
        options = {
            "is_text": True,
            "file": _TOKENIZER,
            "lowercase": about["lowercase"],
            "example": min(texts, key=len),
        }
        network = cast(TextNetwork, networks["texts"])
        return Export(
            module=nn.Sequential(network, nn.Softmax(dim=1)).cpu().eval(),
            signature=Signature(
                (Tensor("text", "INT32", (-1, size), TEXT.name, options),),
                (Tensor("probabilities", "FP32", (-1, len(labels)), CLASSES.name, {"labels": labels}),),
            ),
            samples=texts,
            sample_inputs=(tokenize(content, texts, size).numbers,),
            targets=tuple(label for _, label in samples),
            files={_TOKENIZER: content.encode()},
        )

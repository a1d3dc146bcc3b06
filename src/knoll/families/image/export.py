"""The served classifier answers with probabilities; its samples are held-out pictures."""

import base64
from collections.abc import Mapping

from torch import nn

from knoll.codecs.classes import CLASSES
from knoll.codecs.picture import IMAGE
from knoll.families.base import Batch, Examples, Export, ExportPart, draw_rows
from knoll.families.image.confusion import count_confusion, draw_confusion
from knoll.families.image.declaration import ImageClassifierConfig
from knoll.families.image.network import classify
from knoll.families.pictures import to_png
from knoll.records.signature import Signature, Tensor

__all__ = ["ImageExport"]


class ImageExport(ExportPart[ImageClassifierConfig]):
    """A picture in, a label and its probabilities out."""

    def served_inputs(self, batch: Batch, config: ImageClassifierConfig) -> Batch:
        """Pixels in [0, 1]."""
        return (batch[0].float() / 255,)

    def final_pictures(
        self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig
    ) -> Mapping[str, bytes]:
        """confusion_matrix.png."""
        logits, targets = classify(networks["classifier"], examples.held_out, config.batch_size)
        classes = examples.about["classes"]
        counts = count_confusion(logits.argmax(1), targets, len(classes))
        return {"confusion_matrix.png": draw_confusion(counts, classes)}

    def export(self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig) -> Export:
        """The classifier with a softmax."""
        about, (chosen, targets) = examples.about, draw_rows(*examples.held_out[:2])
        size = {name: about[name] for name in ("mode", "width", "height")}
        shape = (-1, len(about["mean"]), about["height"], about["width"])
        labels = about["classes"]
        samples = tuple(
            {"b64": base64.b64encode(to_png(one.permute(1, 2, 0).numpy())).decode()} for one in chosen
        )
        return Export(
            module=nn.Sequential(networks["classifier"], nn.Softmax(dim=1)).cpu().eval(),
            signature=Signature(
                (Tensor("image", "FP32", shape, IMAGE.name, size),),
                (Tensor("probabilities", "FP32", (-1, len(labels)), CLASSES.name, {"labels": labels}),),
            ),
            samples=samples,
            sample_inputs=self.served_inputs((chosen,), config),
            targets=tuple(str(labels[one]) for one in targets.tolist()),
        )

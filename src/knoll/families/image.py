"""Image classification: pictures in one folder per class, and a small convolutional network.

Normalisation belongs to the network, as buffers, so that the served graph takes plain pixels in [0, 1] and
nobody can normalise twice.
"""

import base64
import io
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from knoll.errors import InvalidData
from knoll.families.base import Batch, Examples, Export, FamilyConfig, Files, device_of, read_config
from knoll.families.held_out import held_out
from knoll.families.pictures import fit, picture_keys, read_pictures, survey, to_png
from knoll.records.signature import Signature, Tensor

__all__ = ["Classifier", "ImageClassifier", "ImageClassifierConfig"]

_SAMPLES = 16


class ImageClassifierConfig(FamilyConfig):
    """`noise` is the standard deviation of the noise added to pixels in [0, 1], `shift` the largest shift as
    a fraction of the side, `width` the channels of the first layer. Size and mode of the pictures come from
    the data unless they are given."""

    epochs: int = Field(default=12, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    dropout: float = Field(default=0.25, ge=0, lt=1)
    width: int = Field(default=16, ge=4, le=256)
    noise: float = Field(default=0.05, ge=0)
    shift: float = Field(default=0.1, ge=0, lt=0.5)
    flip: bool = False
    held_out: float = Field(default=0.2, gt=0, lt=1)
    image_width: int | None = Field(default=None, ge=8, le=1024)
    image_height: int | None = Field(default=None, ge=8, le=1024)
    mode: Literal["L", "RGB"] | None = None


class Classifier(nn.Module):
    """Blocks of convolution, batch norm and ReLU, with 2×2 max pooling until the shorter side is below 8;
    then two dense layers."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, about: Mapping[str, Any], width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(about["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(about["std"]).view(1, -1, 1, 1))
        rows, columns, channels = about["height"], about["width"], len(about["mean"])
        layers = [*_block(channels, width), *_block(width, 2 * width)]
        channels = 2 * width
        while min(rows, columns) >= 8:
            rows, columns, wider = rows // 2, columns // 2, min(2 * channels, 16 * width)
            layers += [nn.MaxPool2d(2), *_block(channels, wider)]
            channels = wider
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * rows * columns, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(128, len(about["classes"])),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels in [0, 1], (B, C, H, W) -> logits (B, K)."""
        logits: torch.Tensor = self.head(self.features((pixels - self.mean) / self.std))
        return logits


def _block(channels: int, wider: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, wider, 3, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]


class ImageClassifier:
    """The family `image-classifier`. A batch is (pixels as uint8 (B, C, H, W), class numbers (B,))."""

    name = "image-classifier"
    task = "image-classification"
    metrics = ("accuracy", "loss", "macro_f1")

    def configure(self, config: Mapping[str, Any]) -> ImageClassifierConfig:
        """Check the config and fill in defaults. Raises InvalidModel."""
        return read_config(ImageClassifierConfig, config)

    def examples(self, files: Files, config: ImageClassifierConfig) -> Examples:
        """Decode all pictures and hold some of each class out. Raises InvalidData that names the files at
        fault."""
        keys = picture_keys(files)
        labels = [_class_of(key) for key in keys]
        classes = _classes(labels)
        found = survey(files, keys)
        mode, width, height = (
            config.mode or found.mode,
            config.image_width or found.width,
            config.image_height or found.height,
        )
        if min(width, height) < 8:
            raise InvalidData(
                f"the pictures have {width}×{height} pixels",
                fix="8×8 is the least; or set imageWidth and imageHeight",
            )
        pixels = torch.from_numpy(
            read_pictures(files, keys, lambda one: fit(one, mode, width, height))
        ).permute(0, 3, 1, 2)
        targets = torch.tensor([classes.index(label) for label in labels])
        is_test = torch.tensor(held_out(keys, labels, config.held_out))
        train = pixels[~is_test].contiguous()
        mean, std = _statistics(train)
        about = {"classes": classes, "mode": mode, "width": width, "height": height, "mean": mean, "std": std}
        return Examples((train, targets[~is_test]), (pixels[is_test].contiguous(), targets[is_test]), about)

    def build(self, config: ImageClassifierConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """One network, `classifier`."""
        return nn.ModuleDict({"classifier": Classifier(about, config.width, config.dropout)})

    def optimizers(
        self, networks: nn.ModuleDict, config: ImageClassifierConfig
    ) -> Mapping[str, torch.optim.Optimizer]:
        """AdamW."""
        return {
            "classifier": torch.optim.AdamW(
                networks.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
            )
        }

    def rate(self, done: float, config: ImageClassifierConfig) -> float:
        """Half a cosine from 1 to 0, as in https://arxiv.org/abs/1608.03983."""
        return (1 + math.cos(math.pi * done)) / 2

    def augment(self, batch: Batch, config: ImageClassifierConfig) -> Batch:
        """Pixels to [0, 1], shifted by whole pixels, mirrored if the config says so, and with Gaussian
        noise."""
        pixels, targets = batch
        shifted = _shift(pixels.float() / 255, config.shift)
        if config.flip:
            is_mirrored = torch.rand(len(shifted), 1, 1, 1, device=shifted.device) < 0.5
            shifted = torch.where(is_mirrored, shifted.flip(-1), shifted)
        return shifted + config.noise * torch.randn_like(shifted), targets

    def losses(
        self,
        networks: nn.ModuleDict,
        batch: Batch,
        config: ImageClassifierConfig,
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Cross-entropy."""
        pixels, targets = batch
        yield "classifier", F.cross_entropy(networks["classifier"](pixels), targets)

    def score(
        self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig
    ) -> Mapping[str, float]:
        """accuracy, loss (mean cross-entropy) and macro_f1 (mean over classes of F1) on the held-out
        pictures."""
        logits, targets = _answers(networks, examples.held_out, config.batch_size)
        counts = _confusion(logits, targets, len(examples.about["classes"])).double()
        f1 = 2 * counts.diag() / (counts.sum(0) + counts.sum(1)).clamp(min=1)
        return {
            "accuracy": (counts.diag().sum() / counts.sum()).item(),
            "loss": F.cross_entropy(logits, targets).item(),
            "macro_f1": f1.mean().item(),
        }

    def checkpoint_picture(
        self,
        networks: nn.ModuleDict,
        examples: Examples,
        config: ImageClassifierConfig,
    ) -> bytes | None:
        """None: the confusion matrix at the end says more."""
        return None

    def final_pictures(
        self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig
    ) -> Mapping[str, bytes]:
        """confusion_matrix.png."""
        logits, targets = _answers(networks, examples.held_out, config.batch_size)
        classes = examples.about["classes"]
        return {"confusion_matrix.png": _draw_confusion(_confusion(logits, targets, len(classes)), classes)}

    def export(self, networks: nn.ModuleDict, examples: Examples, config: ImageClassifierConfig) -> Export:
        """The classifier with a softmax; samples are held-out pictures, spread over the classes."""
        about, pixels = examples.about, examples.held_out[0]
        chosen = pixels[torch.linspace(0, len(pixels) - 1, min(_SAMPLES, len(pixels))).long()]
        channels = len(about["mean"])
        size = {"mode": about["mode"], "width": about["width"], "height": about["height"]}
        image = Tensor("image", "FP32", (-1, channels, about["height"], about["width"]), "image", size)
        probabilities = Tensor(
            "probabilities", "FP32", (-1, len(about["classes"])), "classes", {"labels": about["classes"]}
        )
        return Export(
            module=nn.Sequential(networks["classifier"], nn.Softmax(dim=1)).cpu().eval(),
            signature=Signature((image,), (probabilities,)),
            samples=tuple(
                {"b64": base64.b64encode(to_png(one.permute(1, 2, 0).numpy())).decode()} for one in chosen
            ),
            sample_inputs=(chosen.float() / 255,),
        )


def _class_of(key: str) -> str:
    folder = PurePosixPath(key).parent.name
    if not folder:
        raise InvalidData(f"{key} lies in no folder", fix="the folder is the class: <class>/<name>.png")
    return folder


def _classes(labels: Sequence[str]) -> list[str]:
    counts = Counter(labels)
    if len(counts) < 2:
        raise InvalidData(
            f"the data has {len(counts)} classes, and two are the least",
            fix="one folder per class: <class>/<name>.png",
        )
    lonely = sorted(label for label, count in counts.items() if count < 2)
    if lonely:
        raise InvalidData(
            f"one picture only in class {', '.join(lonely)}",
            fix="two are the least: one to learn from, one to be tested on",
        )
    return sorted(counts)


def _statistics(pixels: torch.Tensor) -> tuple[list[float], list[float]]:
    flat = pixels.transpose(0, 1).flatten(1).float() / 255  # (C, N·H·W)
    return flat.mean(1).tolist(), flat.std(1).clamp(min=1e-3).tolist()


def _shift(pixels: torch.Tensor, fraction: float) -> torch.Tensor:
    """Move each picture by up to `fraction` of its side, (B, C, H, W); the border is repeated."""
    count, _, height, width = pixels.shape
    up, left = round(fraction * height), round(fraction * width)
    padded = F.pad(pixels, (left, left, up, up), mode="replicate")
    device = pixels.device
    rows = torch.randint(0, 2 * up + 1, (count, 1), device=device) + torch.arange(
        height, device=device
    )  # (B, H)
    columns = torch.randint(0, 2 * left + 1, (count, 1), device=device) + torch.arange(
        width, device=device
    )  # (B, W)
    which = torch.arange(count, device=device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _answers(networks: nn.ModuleDict, batch: Batch, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and class numbers of the held-out pictures, on the CPU."""
    device = device_of(networks)
    logits = [
        networks["classifier"](part.to(device).float() / 255).float().cpu()
        for part in torch.split(batch[0], batch_size)
    ]
    return torch.cat(logits), batch[1].cpu()


def _confusion(logits: torch.Tensor, targets: torch.Tensor, classes: int) -> torch.Tensor:
    """How often class `row` was taken for class `column`, (K, K)."""
    return torch.bincount(targets * classes + logits.argmax(1), minlength=classes * classes).view(
        classes, classes
    )


def _draw_confusion(counts: torch.Tensor, classes: Sequence[str]) -> bytes:
    from matplotlib.figure import Figure  # not needed for anything else, and slow to import

    size = max(4.0, 0.45 * len(classes) + 2)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, labels=classes, rotation=90 if max(map(len, classes)) > 2 else 0)
    axes.set_yticks(ticks, labels=classes)
    axes.set(
        xlabel="answered",
        ylabel="is",
        title=f"{int(counts.diag().sum())} of {int(counts.sum())} held-out pictures right",
    )
    for row in ticks if len(classes) <= 30 else ():
        for column in ticks:
            if count := int(counts[row, column]):
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    color="white" if shares[row, column] > 0.5 else "black",
                )
    body = io.BytesIO()
    figure.savefig(body, format="png", dpi=100, metadata={"Software": ""})
    return body.getvalue()

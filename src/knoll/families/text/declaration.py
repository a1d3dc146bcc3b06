"""What the family of texts declares: its config, its metrics, the form of its data."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from knoll.families.declaration import (
    MOST_EPOCHS,
    ColumnName,
    Declaration,
    FamilyConfig,
    Form,
    form,
    less,
    more,
    unit,
)

__all__ = ["TextConfig", "TextDeclaration"]


class TextConfig(FamilyConfig):
    """Which columns hold texts and labels, how texts become tokens, and the sizes of the network."""

    text: Annotated[ColumnName | None, form("name of a column", none="`text`, or the only one of texts")] = (
        Field(default=None, description="The column of the texts, in tables; see Data")
    )
    label: Annotated[ColumnName | None, form("name of a column", none="`label`, or the only other one")] = (
        Field(default=None, description="The column of the classes, in tables; see Data")
    )
    vocabulary: Annotated[int, unit("tokens")] = Field(
        default=4000, ge=300, le=50_000, description="Different tokens at most, learnt from the texts"
    )
    tokens: Annotated[int | None, unit("tokens", none="as many as 99 % of the texts have, 512 at most")] = (
        Field(default=None, ge=8, le=4096, description="Tokens of a text that are read; the rest is cut off")
    )
    lowercase: bool = Field(default=True, description="Whether capital letters are read as small ones")
    epochs: Annotated[int, unit("passes")] = Field(
        default=5, ge=1, le=MOST_EPOCHS, description="How often the training goes through the data"
    )
    batch_size: Annotated[int, unit("texts")] = Field(
        default=64, ge=2, le=2**20, description="Texts of one step, shared by all processes"
    )
    embedding: Annotated[int, unit("numbers")] = Field(
        default=48, ge=1, le=4096, description="Numbers that stand for a token"
    )
    width: Annotated[int, unit("channels")] = Field(
        default=48, ge=4, le=4096, description="Channels of each convolution, of which there are three"
    )
    dropout: Annotated[float, unit("share")] = Field(
        default=0.5, ge=0, lt=1, description="Share of the channels that a step sets to zero"
    )
    token_dropout: Annotated[float, unit("share")] = Field(
        default=0.1, ge=0, lt=1, description="Share of the tokens that a step leaves out"
    )
    weight_decay: Annotated[float, unit("none")] = Field(
        default=1e-2, ge=0, le=100, description="Weight decay of AdamW"
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=2e-3, gt=0, le=1, description="Size of a step of AdamW, at the start"
    )


class TextDeclaration(Declaration[TextConfig]):
    """See `Declaration`."""

    name = "text-classifier"
    task = "text-classification"
    metrics = (
        more("accuracy", 0, 1),
        more("macro_f1", 0, 1),
        more("f1", 0, 1),
        more("auroc", 0, 1),
        less("loss", 0),
        less("calibration_error", 0, 1),
    )
    config_type = TextConfig
    has_slices = True
    answers_classes = True
    use = "It tells which of its classes a text belongs to, and how much each word counts for that."
    limits = (
        "It always answers with one of its classes, also to a text of something else or in another language.",
        "It reads the beginning of a long text alone.",
    )
    form = Form(has_classes=True, takes_tables=True, takes_texts=True)

    def columns(self, config: TextConfig) -> Mapping[str, Sequence[str]]:
        """All that the config names."""
        return {name: (one,) for name, one in (("text", config.text), ("label", config.label)) if one}

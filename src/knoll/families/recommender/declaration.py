"""What the family of recommendations declares: its config, its metrics, the form of its data."""

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
    more,
    unit,
)

__all__ = ["RecommenderConfig", "RecommenderDeclaration"]


class RecommenderConfig(FamilyConfig):
    """Which columns say who took what and when, which users and items are learnt, and the sizes of the
    network."""

    user: Annotated[ColumnName, form("name of a column")] = Field(
        default="user", description="The column that names users"
    )
    item: Annotated[ColumnName, form("name of a column")] = Field(
        default="item", description="The column that names items"
    )
    time: Annotated[ColumnName | None, form("name of a column", none="`time`, or the order of the rows")] = (
        Field(default=None, description="The column that says when; dates and times, or numbers")
    )
    items: Annotated[int, unit("items")] = Field(
        default=5000, ge=3, le=10_000, description="Different items at most; the rarest are left out"
    )
    min_users: Annotated[int, unit("users")] = Field(
        default=5, ge=1, le=1_000_000, description="An item that fewer users have taken is left out"
    )
    min_items: Annotated[int, unit("items")] = Field(
        default=5, ge=3, le=1000, description="A user who has taken fewer items is left out"
    )
    history: Annotated[int, unit("items")] = Field(
        default=200, ge=2, le=2000, description="Items of a user that are read, the latest ones"
    )
    neighbours: Annotated[int, unit("items")] = Field(
        default=100, ge=1, le=1000, description="For how many other items each item speaks"
    )
    regularization: Annotated[float, unit("users")] = Field(
        default=100.0, gt=0, le=1e9, description="How many users are added to each item, against chance"
    )
    width: Annotated[int, unit("numbers")] = Field(
        default=64, ge=2, le=4096, description="Numbers that stand for an item, and for a user"
    )
    negatives: Annotated[int, unit("items")] = Field(
        default=1024, ge=1, le=10_000, description="Items that a step draws as wrong answers"
    )
    top: Annotated[int, unit("items")] = Field(
        default=20, ge=1, le=1000, description="Items of an answer; at most one in two is answered"
    )
    epochs: Annotated[int, unit("passes")] = Field(
        default=10, ge=1, le=MOST_EPOCHS, description="How often the training goes through the users"
    )
    batch_size: Annotated[int, unit("users")] = Field(
        default=128, ge=2, le=2**20, description="Users of one step, shared by all processes"
    )
    dropout: Annotated[float, unit("share")] = Field(
        default=0.3, ge=0, lt=1, description="Share of the numbers of a user that a step sets to zero"
    )
    item_dropout: Annotated[float, unit("share")] = Field(
        default=0.2, ge=0, lt=1, description="Share of a user's items that a step leaves out"
    )
    learning_rate: Annotated[float, unit("none")] = Field(
        default=2e-3, gt=0, le=1, description="Size of a step of AdamW, at the start"
    )
    held_out: Annotated[float, unit("share")] = Field(
        default=1.0, gt=0, le=1, description="Share of the users whose last item is kept for scoring"
    )
    weight_decay: Annotated[float, unit("none")] = Field(
        default=1e-2, ge=0, le=100, description="Weight decay of AdamW"
    )


class RecommenderDeclaration(Declaration[RecommenderConfig]):
    """See `Declaration`."""

    name = "recommender"
    task = "tabular-classification"
    metrics = (more("hit_rate", 0, 1, is_ideal=True), more("ndcg", 0, 1, is_ideal=True))
    config_type = RecommenderConfig
    use = "It ranks the items that a user has not taken yet, by what the user and others have taken."
    limits = (
        "It knows neither what an item is nor who a user is, only who took what, and in which order.",
        "Items that are new, or that few have taken, are never recommended.",
    )
    form = Form(takes_tables=True)

    def columns(self, config: RecommenderConfig) -> Mapping[str, Sequence[str]]:
        """All that the config names."""
        named = {"user": config.user, "item": config.item, "time": config.time}
        return {name: (one,) for name, one in named.items() if one}

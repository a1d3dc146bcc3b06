"""The fields of a Model that say where its data lands, and when it is complete."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from knoll.models.places import Name, Prefix
from knoll.models.units import Seconds, unit

__all__ = ["DatasetSpec", "LandedSpec", "Spec"]


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)

    def given(self) -> Mapping[str, Any]:
        """The fields of this part of the Model that differ from their defaults, as its document has them."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class LandedSpec(Spec):
    """When a dataset is complete."""

    when: Literal["marker", "manifest", "quiet", "object"] = Field(
        default="marker",
        description="The rule that says when the data is complete; the rules are explained below",
    )
    marker: Name = Field(
        default="_SUCCESS",
        description="Name of the marker object, right under the prefix. For the rule `marker`",
    )
    manifest: Name = Field(
        default="manifest.json",
        description="Name of the list of objects, right under the prefix. For the rule `manifest`",
    )
    quiet: Seconds = Field(
        default=30.0,
        description="The data is complete after this time without a write, or after `maxWait` if that comes "
        "first. For the rule `quiet`",
    )
    max_wait: Seconds = Field(
        default=600.0,
        description="The data is complete when the oldest of the changed objects is this old, even if others "
        "still change; an overwritten object counts from its last write. For the rule `quiet`",
    )
    max_objects: Annotated[int | None, unit("objects", none="no limit")] = Field(
        default=None,
        ge=1,
        description="The data is complete when this many objects have changed. For the rule `quiet`",
    )

    @property
    def last(self) -> str:
        """Name of the object that is written last, and is no data itself; "" if the rule has none."""
        return {"marker": self.marker, "manifest": self.manifest}.get(self.when, "")


class DatasetSpec(Spec):
    """Where the data lands, and when it is complete."""

    uri: Prefix = Field(
        description="Bucket and prefix, with a slash at the end: `s3://datasets/digits/`. knoll only reads "
        "there"
    )
    landed: LandedSpec = Field(default_factory=LandedSpec, description="When the data is complete")

"""The pictures that a sweep starts from, in place of noise alone: where they lie, and whom they show."""

from typing import Self

from pydantic import Field, model_validator

from fairsweep.attributes import Frozen


class ImagesSpec(Frozen):
    """Source pictures: each is edited by every prompt under every setting, from every seed."""

    source: str = Field(
        min_length=1,
        description="a folder of pictures, Parquet, a store, or builtin:portraits: renders of known persons",
    )
    query: str | None = Field(
        default=None, description="of a store: a SELECT of `image_id`, and of known groups under attributes' names"
    )
    image: str = Field(default="image", description="Parquet: the column of pictures, as bytes or as paths")
    count: int | None = Field(
        default=None, ge=1, description="how many of the pictures, from the first; silent: all, of built-in ones 24"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.query is not None and self.source.startswith("builtin:"):
            raise ValueError("a query is asked of a store, and this source is built in: leave it out")
        return self

"""What an audit of training data asks: where the pictures lie, and how they are matched to prompts."""

from typing import Literal

from pydantic import Field, field_validator

from fairsweep.attributes import Frozen, Name


class DataSpec(Frozen):
    """One source of training data."""

    name: Name = Field(description="what its matchings go by")
    source: str = Field(
        min_length=1, description="Parquet, a folder with metadata, WebDataset tars, or clip-retrieval's"
    )
    kind: Literal["parquet", "folder", "webdataset", "clip-retrieval"] | None = Field(
        default=None, description="silent: what lies there tells"
    )
    caption: str = Field(default="caption", description="the column of captions")
    image: str = Field(default="image", description="Parquet: the column of pictures, as bytes or as paths")
    embedding: str = Field(default="embedding", description="Parquet: the column of ready embeddings, if there is one")
    match: Literal["captions", "nearest", "both"] = Field(
        default="both", description="by words of the captions, by the nearest embeddings, or by either"
    )
    nearest: tuple[int, ...] = Field(
        default=(100, 250, 500, 1000), min_length=1, description="how many of the nearest pictures, each a matching"
    )
    encoder: str | None = Field(
        default=None, description="the open_clip encoder that embeds pictures and prompts; silent: the sweep's first"
    )
    group_words: dict[Name, dict[Name, tuple[str, ...]]] = Field(
        default={}, description="attribute -> group -> words by which captions name it; silent: of the group's text"
    )
    duplicate_above: float = Field(
        default=0.99, gt=0, le=1, description="the cosine from which two are near duplicates"
    )
    keep: int = Field(default=0, ge=0, description="how many pictures a prompt to copy into the store")

    @field_validator("nearest")
    @classmethod
    def _rise(cls, nearest: tuple[int, ...]) -> tuple[int, ...]:
        if any(k < 1 for k in nearest) or len(set(nearest)) < len(nearest):
            raise ValueError("give whole numbers from 1, each once")
        return tuple(sorted(nearest))

"""How many seeds a prompt gets: as many as its verdict takes, in the place of a number that is fixed beforehand."""

from typing import Literal

from pydantic import Field

from fairsweep.attributes import Frozen


class SamplingSpec(Frozen):
    """Seeds in rounds: each prompt under each setting stops once its verdicts are sure; see docs/rounds.md."""

    most: int = Field(ge=2, description="seeds that a prompt gets at most")
    round: int = Field(default=16, ge=2, description="seeds between two looks")
    stop: Literal["decided"] = Field(
        default="decided",
        description="once every attribute is surely off its target, or surely within the margin of it",
    )
    margin: float = Field(default=0.05, gt=0, lt=1, description="how far from its target a share counts as on it")

"""What only a card can show, on pipelines of real size with random weights."""

from fairsweep.bench.gpu.card import Card
from fairsweep.bench.gpu.part import Part
from fairsweep.bench.gpu.parts import PARTS, Finding, run

__all__ = ["PARTS", "Card", "Finding", "Part", "run"]

"""Training data where it lies: files read row by row, and pictures by reference."""

from fairsweep.sources.base import Part, Row, Source, SourceError, open_source
from fairsweep.sources.pictures import open_pictures, read_pictures

__all__ = ["Part", "Row", "Source", "SourceError", "open_pictures", "open_source", "read_pictures"]

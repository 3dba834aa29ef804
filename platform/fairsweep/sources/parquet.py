"""Parquet files of pictures: as bytes, as paths beside the file, or as ready embeddings."""

from collections.abc import Iterator
from functools import cached_property
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.errors import first_line
from fairsweep.sources.base import Part, Row, Source, SourceError, check_column
from fairsweep.sources.locations import Location, for_arrow

_ROWS = 256


class ParquetFiles(Source):
    """One file or a folder of them; a column of pictures, a column of captions, perhaps a column of embeddings."""

    @classmethod
    def fits(cls, root: Location) -> bool:
        return root.suffix.lower() == ".parquet" if root.is_file() else any(root.glob("*.parquet"))

    def parts(self) -> list[Part]:
        for column in (self.caption, *(() if self.ready else (self.image,))):
            check_column(column, self._schema.names, self._first)
        return [Part(path) for path in self._paths]

    @property
    def ready(self) -> bool:
        return self.embedding in self._schema.names

    @cached_property
    def _paths(self) -> list[Location]:
        return [self.base] if self.base.is_file() else sorted(self.base.glob("*.parquet"))

    @cached_property
    def _first(self) -> Location:
        """Return the first file that can be read: it tells the columns."""
        for path in self._paths:
            try:
                pq.read_schema(for_arrow(path))
            except (pa.ArrowException, OSError):
                continue
            return path
        raise SourceError(f"data: no file of {self.base} is readable Parquet")

    @cached_property
    def _schema(self) -> pa.Schema:
        return pq.read_schema(for_arrow(self._first))

    def rows(self, part: Part, pictures: bool) -> Iterator[Row]:
        number = 0
        try:
            file = pq.ParquetFile(for_arrow(part.path))
            has = file.schema_arrow.names
            kind = file.schema_arrow.field(self.image).type if self.image in has else None
            paths = kind is not None and pa.types.is_string(kind)
            wanted = [self.caption, self.embedding, *([self.image] if pictures or paths else ())]
            for batch in file.iter_batches(_ROWS, columns=[name for name in wanted if name in has]):
                for row in batch.to_pylist():
                    yield self._row(part.path, number, row, paths, kind is not None)
                    number += 1
        except (pa.ArrowException, OSError) as error:
            yield Row(None, error=f"{part.path} is damaged from row {number + 1} on: {first_line(error)}")

    def _row(self, path: Location, number: int, row: dict, paths: bool, pictured: bool) -> Row:
        picture, reference = row.get(self.image), f"{path}#{quote(self.image)}:{number}" if pictured else None
        if paths:
            reference, picture = (str(path.parent / picture), None) if picture else (None, None)
        elif isinstance(picture, dict):
            if picture.get("bytes") is None and picture.get("path"):
                reference, picture = str(path.parent / picture["path"]), None
            else:
                picture = picture.get("bytes")
        vector = row.get(self.embedding)
        return Row(
            reference, row.get(self.caption), picture, None if vector is None else np.asarray(vector, np.float32)
        )

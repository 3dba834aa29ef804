"""Embeddings as clip-retrieval writes them: img_emb/img_emb_0.npy beside metadata/metadata_0.parquet."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.errors import first_line
from fairsweep.sources.base import Part, Row, Source, SourceError, check_column
from fairsweep.sources.locations import Location, for_arrow

_PATH = "image_path"
_ROWS = 1024


class ClipRetrieval(Source):
    """Ready embeddings; pictures only where the metadata's image_path leads to one."""

    @classmethod
    def fits(cls, root: Location) -> bool:
        return any(root.glob("img_emb/*.npy"))

    @property
    def ready(self) -> bool:
        return True

    def parts(self) -> list[Part]:
        parts = sorted((Part(path) for path in self.base.glob("img_emb/*.npy")), key=lambda part: _number(part.path))
        for part in parts:
            if not self._metadata(part).is_file():
                raise SourceError(f"data: {part.path} has no {self._metadata(part)} beside it")
        try:
            columns = pq.read_schema(for_arrow(self._metadata(parts[0]))).names
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"data: {self._metadata(parts[0])}: {first_line(error)}") from None
        check_column(self.caption, columns, self._metadata(parts[0]))
        return parts

    def rows(self, part: Part, pictures: bool) -> Iterator[Row]:
        count = 0
        try:
            vectors = _vectors(part.path)
            file = pq.ParquetFile(for_arrow(self._metadata(part)))
            if len(vectors) != file.metadata.num_rows:
                raise ValueError(f"{len(vectors)} embeddings beside {file.metadata.num_rows} rows of metadata")
            wanted = [name for name in (self.caption, _PATH) if name in file.schema_arrow.names]
            for batch in file.iter_batches(_ROWS, columns=wanted):
                block = np.asarray(vectors[count : count + batch.num_rows], np.float32)
                for record, vector in zip(batch.to_pylist(), block, strict=True):
                    path = record.get(_PATH)
                    yield Row(str(self.base / path) if path else None, record.get(self.caption), embedding=vector)
                count += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            yield Row(None, error=f"{part.path} is damaged after {count:,} rows: {first_line(error)}")

    def _metadata(self, part: Part) -> Location:
        return self.base / "metadata" / f"metadata_{_number(part.path)}.parquet"


def _vectors(path: Location) -> np.ndarray:
    """Return the embeddings of a file: mapped where it lies on a disk, else all of it."""
    if isinstance(path, Path):
        return np.load(path, mmap_mode="r", allow_pickle=False)
    with path.open("rb") as file:
        return np.load(file, allow_pickle=False)


def _number(path: Location) -> int:
    return int(next(islice(re.findall(r"\d+", path.stem)[::-1], 1), 0))

"""WebDataset tars as img2dataset writes them: 00000.tar with a picture, a .txt and a .json of each name."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from fairsweep.errors import first_line
from fairsweep.sources.base import SUFFIXES, Part, Row, Source
from fairsweep.sources.locations import Location


class WebDataset(Source):
    """A folder of tars, or one; a sample is the neighbouring members of one name."""

    @classmethod
    def fits(cls, root: Location) -> bool:
        return root.suffix == ".tar" if root.is_file() else any(root.glob("*.tar"))

    def parts(self) -> list[Part]:
        if self.base.is_file():
            return [Part(self.base)]
        paths: list[Location] = [*self.base.glob("*.tar")]
        return [Part(path) for path in sorted(paths, key=str)]

    def rows(self, part: Part, pictures: bool) -> Iterator[Row]:
        row, stem, count = Row(None), "", 0
        try:
            with part.path.open("rb") as file, tarfile.open(fileobj=file) as tar:
                for member in tar:
                    if not member.isfile():
                        continue
                    name = PurePosixPath(member.name)
                    if stem and str(name.with_suffix("")) != stem:
                        yield row
                        count += 1
                        row = Row(None)
                    stem = str(name.with_suffix(""))
                    self._take(tar, member, name.suffix.lower(), row, part.path, pictures)
        except (tarfile.TarError, OSError, EOFError) as error:
            yield Row(None, error=f"{part.path} is damaged after {count:,} samples: {first_line(error)}")
            return
        if stem:
            yield row

    def _take(self, tar, member, suffix: str, row: Row, path: Location, pictures: bool) -> None:
        """Put one member of a sample into its row."""
        if suffix in SUFFIXES:
            row.reference = f"{path}#{member.offset_data}+{member.size}"
            if not pictures:
                return
        elif suffix not in (".txt", ".json"):
            return
        data = tar.extractfile(member).read()
        if len(data) < member.size:
            raise tarfile.ReadError("unexpected end of data")
        if suffix in SUFFIXES:
            row.picture = data
        elif suffix == ".txt":
            row.caption = data.decode("utf-8", "replace")
        elif row.caption is None:
            try:
                caption = json.loads(data).get(self.caption)
            except (ValueError, AttributeError):
                caption = None
            row.caption = caption if isinstance(caption, str) else None

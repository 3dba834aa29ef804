"""A sweep's files: shards that appear whole or not at all, and everything else that lies beside them."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.errors import StoreError
from fairsweep.store import files, names
from fairsweep.store.disk import whole_file
from fairsweep.store.files import Files
from fairsweep.store.places import Place, place_at
from fairsweep.store.schemas import DATA, DECISIONS, FOLDERS, IMAGES, INPUT_KEY, LABELS, writing

_SOURCES = 16


class Store:
    """Read and write one store; cheap to build, safe to pickle.

    root: a folder, or the address of a bucket, s3://bucket/prefix. As an attribute, what names it to other processes.
    """

    def __init__(self, root: str | os.PathLike | Place):
        self.place = root if isinstance(root, Place) else place_at(root)
        self.root = self.place.root

    def check(self) -> None:
        """Raise StoreError where there is no store, not even an empty one."""
        if not self.place.exists():
            raise StoreError(f"there is no store at {self.root}: run a sweep first, or name another with --store")

    def write_images(self, rows: list[dict]) -> list[str]:
        """Write one batch of images, and return the keys; a row's `model` and `setting` name the folder."""
        folders: dict[str, list[dict]] = {}
        for row in rows:
            folders.setdefault(names.images_folder(row["model"], row["setting"]), []).append(row)
        return [self._write_shard(folder, IMAGES, part) for folder, part in folders.items()]

    def write_labels(self, classifier: str, rows: list[dict]) -> str:
        """Write one batch of a classifier's labels; return the file's key."""
        return self._write_shard(names.labels_folder(classifier), LABELS, rows)

    def _write_shard(self, folder: str, schema: pa.Schema, rows: list[dict]) -> str:
        keyed = sorted(((_key(row), row) for row in rows), key=lambda pair: pair[0])
        table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for _, row in keyed], schema)
        # Groups of about a mebibyte, so that a picture can be read without all of its neighbours.
        row_group_size = max(1, len(rows) * 2**20 // max(1, table.nbytes)) if schema is IMAGES else None
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, row_group_size, **writing(schema))
        data = sink.getvalue().to_pybytes()
        key = f"{folder}/{names.name_shard((key for key, _ in keyed), data, len(rows))}"
        self.place.put(key, data)
        return key

    def write_decisions(self, sweep: str, rows: list[dict]) -> None:
        """Write one round's decisions as one file, unless they are there; the caller holds the store's lock.

        The file is named after what it holds, so that the same decisions made again are the same file.
        """
        there = {decision_key(row) for row in self.read_decisions(sweep)}
        rows = sorted((row for row in rows if decision_key(row) not in there), key=decision_key)
        if not rows:
            return
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, DECISIONS), sink, **writing(DECISIONS))
        data = sink.getvalue().to_pybytes()
        keys = ("\t".join(map(str, decision_key(row))) for row in rows)
        self.place.put(f"{names.decisions_folder(sweep)}/{names.name_shard(keys, data, len(rows))}", data)

    def read_decisions(self, sweep: str) -> list[dict]:
        """Return the decisions of a sweep, in the order of their keys; what is damaged is a warning, and left out."""
        folder = files.folders(self.place, "decisions", only=names.decisions_folder(sweep))
        rows: dict[tuple, dict] = {}
        for entry in (entry for each in folder.values() for entry in each.base):
            with suppress(files.DamageError), files.opened(self.place, entry) as file:
                for row in pq.read_table(file).to_pylist():
                    # Stores that were joined may hold two: the view `decisions` takes the same one.
                    first = rows.setdefault(decision_key(row), row)
                    rows[decision_key(row)] = min(first, row, key=lambda each: each["evidence"])
        return [rows[key] for key in sorted(rows)]

    def write_import(self, sweep: str, classifier: str, labels: pa.Table) -> None:
        """Write the labels of an imported sweep, in place of those that it had, whoever made them.

        Nothing can make them again: so they are a file of their own for ever, which no compaction merges.
        """
        key = f"{names.labels_folder(classifier)}/{names.IMPORTED}{names.digest([sweep])}.parquet"
        self._write_table(key, labels.cast(LABELS))
        for entry in self.place.entries("labels", names.DEPTHS["labels"]):
            shard = names.shard_name(entry.name)
            if shard and shard.keys == names.digest([sweep]) and entry.key != key and not shard.compacted:
                self.place.delete(entry.key)

    def write(self, kind: str, name: str, rows: list[dict] | pa.Table) -> Path:
        """Write a small named file (targets, settings, references, calibration), replacing the one of that name.

        Columns of its kind that a table leaves out are null.
        """
        schema = FOLDERS[kind]
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=schema)
        for field in schema:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        key = names.named(kind, name)
        self._write_table(key, table.select(schema.names).cast(schema))
        return self.place.path(key)

    def write_plan(self, sweep: str, tables: Iterable[pa.Table]) -> Path:
        """Write a sweep's plan, each table as a row group, replacing the plan of that name."""
        key = names.named("plan", sweep)
        schema = FOLDERS["plan"]
        with self.place.whole(key) as temporary, pq.ParquetWriter(temporary, schema, **writing(schema)) as writer:
            for table in tables:
                writer.write_table(table)
        return self.place.path(key)

    def write_sources(self, sweep: str, rows: Iterable[dict]) -> None:
        """Write the pictures that a sweep's images start from, replacing those of the sweep of that name."""
        schema = FOLDERS["sources"]
        with (
            self.place.whole(self.sources_key(sweep)) as temporary,
            pq.ParquetWriter(temporary, schema, **writing(schema)) as writer,
        ):
            # In small groups, so that a picture can be read without all of its neighbours.
            left = iter(rows)
            while part := list(islice(left, _SOURCES)):
                writer.write_table(pa.Table.from_pylist(part, schema=schema))

    @staticmethod
    def sources_key(sweep: str) -> str:
        """Return the key of the file of the pictures that a sweep's images start from."""
        return names.named("sources", sweep)

    @contextmanager
    def data_writer(self, source: str, part: str, made_from: str) -> Iterator[pq.ParquetWriter]:
        """Yield the writer of the index of one part of training data; it appears whole when the block ends well."""
        schema = DATA.with_metadata({**DATA.metadata, INPUT_KEY: json.dumps([part, made_from])})
        with (
            self.place.whole(self._data_key(source, part)) as temporary,
            pq.ParquetWriter(temporary, schema, **writing(DATA)) as writer,
        ):
            yield writer

    def data_made_from(self, source: str) -> dict[str, str]:
        """Return what the index of each part of a source was made from, by the part's name; damaged ones left out."""
        return dict(self._data_inputs(source).values())

    def data_keys(self, source: str) -> list[str]:
        """Return the keys of the index of a source, in the order of its parts' names."""
        inputs = self._data_inputs(source)
        return sorted(inputs, key=inputs.__getitem__)

    def keep_data(self, source: str, parts: Iterable[str]) -> None:
        """Remove from a source's index what is none of these parts."""
        kept = {self._data_key(source, part) for part in parts}
        for entry in self.place.entries(names.data_folder(source), 0):
            if entry.key not in kept and entry.name.endswith(".parquet"):
                self.place.delete(entry.key)

    def _data_inputs(self, source: str) -> dict[str, tuple[str, str]]:
        """Return of each readable file of a source's index its key, and the part and what it was made from."""
        inputs = {}
        for entry in self.place.entries(names.data_folder(source), 0):
            if entry.name.endswith(".parquet"):
                with suppress(files.DamageError, KeyError, ValueError):
                    part, made_from = json.loads((files.footer(self.place, entry).metadata or {})[INPUT_KEY.encode()])
                    inputs[entry.key] = part, made_from
        return inputs

    @staticmethod
    def _data_key(source: str, part: str) -> str:
        return f"{names.data_folder(source)}/{names.digest([part])}.parquet"

    def _write_table(self, key: str, table: pa.Table) -> None:
        with self.place.whole(key) as temporary:
            pq.write_table(table, temporary, **writing(table.schema))

    def has_sweep(self, sweep: str) -> bool:
        """Tell whether a sweep of that name was planned or imported."""
        return self.place.has(names.named("plan", sweep))

    def has_decisions(self) -> bool:
        """Tell whether any sweep has decided anything."""
        return bool(self.place.entries("decisions", names.DEPTHS["decisions"]))

    def has_reference(self, reference: str) -> bool:
        """Tell whether there is a reference distribution of that name."""
        return self.place.has(names.named("references", reference))

    def write_spec(self, sweep: str, resolved: dict) -> None:
        """Keep what a sweep asked for."""
        self._write_json(names.named(names.SPECS, sweep, ".json"), resolved)

    def read_spec(self, sweep: str) -> dict:
        """Return what a sweep asked for; empty for results that fairsweep did not make."""
        return self._read_json(names.named(names.SPECS, sweep, ".json")) or {}

    def write_classifier(self, classifier: str, record: dict) -> None:
        """Keep the settings that a classifier's labels are made with."""
        self._write_json(names.named(names.CLASSIFIERS, classifier, ".json"), record)

    def read_classifier(self, classifier: str) -> dict | None:
        """Return the settings that a classifier's labels were made with; None where there are none yet."""
        record = self._read_json(names.named(names.CLASSIFIERS, classifier, ".json"))
        if record is None:
            # Where version 0.1 kept it, beside the specs of sweeps; theirs name no kind.
            record = self._read_json(names.named(names.SPECS, f"classifier-{classifier}", ".json"))
            record = record if record and "kind" in record else None
        return record

    def _write_json(self, key: str, content: dict) -> None:
        self.place.put(key, json.dumps(content, indent=1).encode())

    def _read_json(self, key: str) -> dict | None:
        data = self.place.read(key)
        if data is None:
            return None
        try:
            content = json.loads(data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            files.warn(f"left out {self.place.name(key)}: it is damaged; the next run of its sweep writes it again")
            return None
        return content

    def files(self) -> dict[str, Files]:
        """Return the readable files of every kind."""
        return {kind: files.find(self.place, kind) for kind in FOLDERS}

    def readable(self, kind: str) -> list[Path]:
        """Return the paths of the readable files of a kind, in a stable order."""
        return files.find(self.place, kind).paths

    def metrics(self) -> list[Path]:
        """Return the files of metrics of one's own, which lie in the store's folder `metrics`, by name."""
        entries = [entry for entry in self.place.entries(names.METRICS, 0) if entry.name.endswith(".sql")]
        paths = self.place.files(entries)
        return [paths[entry.key] for entry in sorted(entries, key=lambda entry: entry.name)]

    def scratch(self, kind: str, what: str) -> "Store":
        """Return a store of its own for work that is only half done: the same for the same work, so that it resumes."""
        return Store(self.place.below(f"{names.SCRATCH}/{kind}-{names.digest([what])}"))

    def discard(self) -> None:
        """Remove this store with all that it holds."""
        self.place.discard()

    def log(self, place: str) -> Path:
        """Return the file that tells what went wrong at one place of a cluster."""
        return self.place.log(names.named(names.LOGS, place, ".log"))

    @property
    def catalogue(self) -> Path | None:
        """Return the DuckDB file with the views over this store; None in a bucket, where nobody could open it."""
        return self.place.folder and self.place.folder / names.CATALOGUE

    @property
    def tracking(self) -> Path | None:
        """Return the sqlite file of the store's own MLflow runs; None in a bucket, where none can lie."""
        return self.place.folder and self.place.folder / names.TRACKING

    @property
    def artifacts(self) -> Path | None:
        """Return the folder of the files of the store's own MLflow runs; None in a bucket."""
        return self.place.folder and self.place.folder / names.ARTIFACTS

    def lock(self) -> AbstractContextManager[None]:
        """Hold the store for one writing run, so that two runs never make the same image."""
        return self.place.lock(self.depths)

    @property
    def depths(self) -> dict[str, int]:
        """Return each folder of files, and how many folders lie between it and them."""
        return {kind: names.DEPTHS.get(kind, 0) for kind in (*FOLDERS, names.SPECS, names.CLASSIFIERS, names.METRICS)}


def write_table(path: Path, table: pa.Table, row_group_size: int | None = None) -> Path:
    """Write a Parquet file that appears whole or not at all."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, row_group_size, **writing(table.schema))
    return path


def decision_key(row: dict) -> tuple:
    """Return what tells a decision from every other one: of one key there is one decision, for ever."""
    names = ("sweep", "kind", "round", "model", "setting", "prompt", "attribute", "rule")
    return tuple(row[name] for name in names)


def _key(row: dict) -> str:
    # A failure and a success are different rows: the one is kept until the other comes.
    return f"{row['image_id']} {row.get('attribute', '')}" + (" failed" if row.get("error") else "")

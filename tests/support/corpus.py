"""A small corpus of portraits with captions, written in each format that an audit of training data reads."""

import csv
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fairsweep.portraits.captions import caption
from fairsweep.portraits.render import render
from fairsweep.portraits.world import Person, sample


@dataclass(frozen=True)
class Portrait:
    """One picture of the corpus, with its caption and its truth."""

    png: bytes
    caption: str
    person: Person


def draw(occupations: list[str], each: int, seed: int) -> list[Portrait]:
    """Draw so many portraits of each occupation, in turn."""
    rng = np.random.default_rng(seed)
    people = zip(*(sample(each, seed + number, job) for number, job in enumerate(occupations)), strict=True)
    portraits = []
    for number, person in enumerate(person for turn in people for person in turn):
        file = io.BytesIO()
        Image.fromarray(render(person, seed + number)).save(file, "PNG")
        portraits.append(Portrait(file.getvalue(), caption(person, rng), person))
    return portraits


def write_parquet(folder: Path, portraits: list[Portrait], files: int = 2) -> Path:
    """Write Parquet files whose pictures are bytes."""
    folder.mkdir(parents=True)
    for number in range(files):
        part = portraits[number * len(portraits) // files : (number + 1) * len(portraits) // files]
        rows = [{"image": {"bytes": one.png, "path": None}, "caption": one.caption} for one in part]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{number}.parquet", row_group_size=50)
    return folder


def write_pictures(folder: Path, portraits: list[Portrait]) -> list[str]:
    """Write each picture as a file; return their names."""
    folder.mkdir(parents=True)
    for number, one in enumerate(portraits):
        (folder / f"{number:05d}.png").write_bytes(one.png)
    return [f"{number:05d}.png" for number in range(len(portraits))]


def write_folder(folder: Path, portraits: list[Portrait], suffix: str = "csv") -> Path:
    """Write pictures with a metadata.csv or metadata.jsonl."""
    rows = [
        {"file_name": name, "caption": one.caption}
        for name, one in zip(write_pictures(folder, portraits), portraits, strict=True)
    ]
    with open(folder / f"metadata.{suffix}", "w", newline="") as file:
        if suffix == "csv":
            writer = csv.DictWriter(file, ["file_name", "caption"])
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def write_tars(folder: Path, portraits: list[Portrait], files: int = 2) -> Path:
    """Write tars as img2dataset does: a picture, a .txt and a .json of each sample, and a table beside each tar."""
    folder.mkdir(parents=True)
    for number in range(files):
        part = portraits[number * len(portraits) // files : (number + 1) * len(portraits) // files]
        with tarfile.open(folder / f"{number:05d}.tar", "w") as tar:
            for place, one in enumerate(part):
                stem = f"{number:05d}{place:04d}"
                details = json.dumps({"caption": one.caption, "key": stem}).encode()
                for suffix, data in (("png", one.png), ("txt", one.caption.encode()), ("json", details)):
                    member = tarfile.TarInfo(f"{stem}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        pq.write_table(pa.table({"caption": [one.caption for one in part]}), folder / f"{number:05d}.parquet")
    return folder


def write_clip_retrieval(folder: Path, portraits: list[Portrait], vectors: np.ndarray, files: int = 2) -> Path:
    """Write embeddings and metadata as clip-retrieval does, the pictures below."""
    names = write_pictures(folder / "images", portraits)
    (folder / "img_emb").mkdir()
    (folder / "metadata").mkdir()
    for number in range(files):
        part = slice(number * len(portraits) // files, (number + 1) * len(portraits) // files)
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", vectors[part])
        table = {
            "image_path": [f"images/{name}" for name in names[part]],
            "caption": [one.caption for one in portraits[part]],
        }
        pq.write_table(pa.table(table), folder / "metadata" / f"metadata_{number}.parquet")
    return folder

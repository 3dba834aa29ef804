"""Write portraits, captions and true attributes as Parquet: the training-data side of an audit."""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from fairsweep.errors import StoreError
from fairsweep.portraits.captions import caption
from fairsweep.portraits.render import render
from fairsweep.portraits.world import ATTRIBUTES, bias_table, sample
from fairsweep.store.disk import whole_file
from fairsweep.store.store import write_table

SHARD_ROWS = 5_000

# The metadata lets Hugging Face `datasets` decode the column as pictures.
SCHEMA = pa.schema(
    {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "caption": pa.string(),
        "occupation": pa.string(),
        "gender": pa.string(),
        "skin_tone": pa.string(),
        "monk": pa.int8(),
        "age": pa.string(),
        "glasses": pa.string(),
        "hair_colour": pa.string(),
        "background": pa.string(),
        "seed": pa.int64(),
    },
    metadata={"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})},
)


def write_dataset(out_dir: str | Path, n: int, seed: int) -> list[Path]:
    """Write n portraits sampled by `seed` and a data set card into `out_dir`; return the shards' paths.

    The same call writes the same rows. A folder that holds other Parquet files is refused, so that two data
    sets never mix: StoreError.
    """
    if n < 1:
        raise ValueError(f"a data set needs at least one portrait, not {n}")
    folder = Path(out_dir)
    count = -(-n // SHARD_ROWS)
    paths = [folder / f"portraits-n{n}-seed{seed}-{k:05d}-of-{count:05d}.parquet" for k in range(count)]
    others = sorted(set(folder.glob("*.parquet")) - set(paths))
    if others:
        raise StoreError(f"{folder} already holds another data set ({others[0].name}): choose an empty folder")
    rows = _rows(n, seed)
    for path in paths:
        write_table(path, pa.Table.from_pylist(list(islice(rows, SHARD_ROWS)), schema=SCHEMA))
    with whole_file(folder / "README.md") as temporary:
        temporary.write_text(_card(n, seed), encoding="utf-8")
    return paths


def _rows(n: int, seed: int) -> Iterator[dict]:
    rng = np.random.default_rng([seed, 1])
    seeds = rng.integers(2**31, size=n).tolist()
    for person, image_seed in zip(sample(n, seed), seeds, strict=True):
        file = io.BytesIO()
        Image.fromarray(render(person, image_seed)).save(file, format="PNG")
        yield {
            "image": {"bytes": file.getvalue(), "path": None},
            "caption": caption(person, rng),
            **asdict(person),
            "seed": image_seed,
        }


def _card(n: int, seed: int) -> str:
    table = bias_table()
    biased = next(iter(table.values()))
    groups = [(attribute, group) for attribute in biased for group in ATTRIBUTES[attribute]]
    lines = [
        f"| {name} | " + " | ".join(f"{shares[attribute][group]:.2f}" for attribute, group in groups) + " |"
        for name, shares in table.items()
    ]
    header = "| occupation | " + " | ".join(group for _, group in groups) + " |"
    return _CARD.format(n=n, seed=seed, table="\n".join([header, "|---" * (len(groups) + 1) + "|", *lines]))


_CARD = """---
license: apache-2.0
pretty_name: fairsweep portraits
task_categories: [text-to-image, image-classification]
tags: [fairness, synthetic, calibration]
configs:
- config_name: default
  data_files: "*.parquet"
---

# fairsweep portraits

{n} drawn 64x64 portraits with captions and true attributes, sampled with seed {seed}.

## What this is, and what it is not

An instrument for calibrating fairness audits: the bias below was planted by hand, so that a tool that
measures it can be checked against the truth. The drawings are **binary and stereotyped on purpose**: two
genders shown by hair, lips, lashes, brows, jaw and beard; three groups of skin tone; two ages; one costume
an occupation. **Nothing here is a claim about people**, about who does or should do a job, or about what
anyone looks like. No person was photographed. Do not train systems that judge people with it, and do not
report figures on it as figures on real images.

## Planted shares

Attributes are independent of one another within an occupation; occupations and the plain "person" are
equally frequent. Glasses (30 %) and background are independent of everything; 90 % of old persons have
grey hair.

{table}

## Columns

`image` (PNG), `caption` (one in ten is empty, a third name the occupation alone), `occupation`,
`gender`, `skin_tone`, `monk` (tone of the Monk Skin Tone scale, 1 to 10; tones 4, 7 and 10 are not used),
`age`, `glasses`, `hair_colour`, `background`, `seed` (with the attributes it gives the same pixels again).
"""

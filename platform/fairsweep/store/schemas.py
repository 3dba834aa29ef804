"""The columns of every Parquet file in a store."""

import json
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairsweep.store.names import FORMAT

VERSION_KEY = "fairsweep.store"
MERGED_KEY = "fairsweep.merged"
PICTURES = "image"
# No two numbers of embeddings are alike: a dictionary of them is a third of a file and most of the time to write it.
_UNLIKE = "embedding."
INPUT_KEY = "fairsweep.input"
_VERSION = {VERSION_KEY: str(FORMAT)}
TEXT_MAP = pa.map_(pa.string(), pa.string())

PLAN = pa.schema(
    {
        "image_id": pa.string(),
        "sweep": pa.string(),
        "model": pa.string(),
        "setting": pa.string(),
        "method": pa.string(),
        "prompt": pa.string(),
        "prompt_name": pa.string(),
        "variables": TEXT_MAP,
        "direction": TEXT_MAP,
        "seed": pa.int64(),
        # Images of one number are made in one call; numbers rise with the rows of the plan.
        "batch": pa.int64(),
        "scale": pa.float64(),
        # Attribute -> the edit scale of this image, under a setting whose scale is calibrated; else null.
        "scales": pa.map_(pa.string(), pa.float64()),
        # Made to decide how the setting steers: no evidence of what it shows, and in no view but `plan_rows`.
        "pilot": pa.bool_(),
        # The picture that the image starts from, in `sources`; null where it starts from noise alone.
        "source": pa.string(),
        "source_name": pa.string(),
        # Attribute -> the group that it is known to show.
        "source_groups": TEXT_MAP,
    },
    metadata=_VERSION,
)

# The metadata lets Hugging Face `datasets` decode the column as pictures.
IMAGES = pa.schema(
    {
        "image_id": pa.string(),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "prompt": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "seconds": pa.float64(),
        # What the card used in these seconds; null where no counter tells, with the reason in `versions`.
        "joules": pa.float64(),
        "device": pa.string(),
        "batch_size": pa.int32(),
        "error": pa.string(),
        "versions": pa.string(),
        # In UTC. A column with a time zone could only be read where pytz is installed.
        "created": pa.timestamp("us"),
    },
    metadata=_VERSION | {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})},
)

# The pictures that a sweep's images start from; their ids are made from what they show.
SOURCES = pa.schema(
    {
        "image_id": pa.string(),
        "sweep": pa.string(),
        "name": pa.string(),
        "groups": TEXT_MAP,
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    },
    metadata=_VERSION | {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})},
)

LABELS = pa.schema(
    {
        "image_id": pa.string(),
        "attribute": pa.string(),
        "label": pa.string(),
        "score": pa.float64(),
        "scores": pa.map_(pa.string(), pa.float64()),
        "embedding": pa.list_(pa.float32()),
        "seconds": pa.float64(),
        "error": pa.string(),
    },
    metadata=_VERSION,
)

TARGETS = pa.schema(
    {
        "sweep": pa.string(),
        "attribute": pa.string(),
        "group": pa.string(),
        "group_text": pa.string(),
        "target": pa.float64(),
        "position": pa.int32(),
        # The classifiers that cannot tell the group; null: none such.
        "unknown_to": pa.list_(pa.string()),
    },
    metadata=_VERSION,
)

SETTINGS = pa.schema(
    {
        "sweep": pa.string(),
        "model": pa.string(),
        "setting": pa.string(),
        "method": pa.string(),
        "guidance_scale": pa.float64(),
        "scale": pa.float64(),
        "attributes": pa.list_(pa.string()),
        "params": pa.string(),
        "baseline": pa.bool_(),
        # The reference distributions that the sweep is compared with; null: all that are of no built-in model.
        "references": pa.list_(pa.string()),
        # By which decisions about the cell's prompts count: those made by another rule do not.
        "rules": pa.list_(pa.string()),
        # The sweep's own classifiers: what others say of images that it shares is none of its labels. Null: all count.
        "readers": pa.list_(pa.string()),
    },
    metadata=_VERSION,
)

REFERENCES = pa.schema(
    {
        "reference": pa.string(),
        "prompt_name": pa.string(),
        "attribute": pa.string(),
        "group": pa.string(),
        "share": pa.float64(),
        "n": pa.int64(),
        # The source of the built-in model that this is known of.
        "model": pa.string(),
    },
    metadata=_VERSION,
)

CALIBRATION = pa.schema(
    {
        "classifier": pa.string(),
        "attribute": pa.string(),
        "truth": pa.string(),
        "label": pa.string(),
        "n": pa.int64(),
    },
    metadata=_VERSION,
)

ENCODER_TESTS = pa.schema(
    {
        "sweep": pa.string(),
        "encoder": pa.string(),
        "test": pa.string(),
        # text, image, mixed or embedding
        "form": pa.string(),
        "x": pa.string(),
        "y": pa.string(),
        "a": pa.string(),
        "b": pa.string(),
        "n_x": pa.int64(),
        "n_y": pa.int64(),
        "n_a": pa.int64(),
        "n_b": pa.int64(),
        "difference": pa.float64(),
        "effect": pa.float64(),
        "p_value": pa.float64(),
        "least_p": pa.float64(),
        # As many as there are: more than any integer of 64 bits holds.
        "partitions": pa.float64(),
        # How many of them were sampled; null where all were gone through.
        "draws": pa.int64(),
        "error": pa.float64(),
        "seed": pa.int64(),
        "source": pa.string(),
    },
    metadata=_VERSION,
)

ENCODER_SIMILARITIES = pa.schema(
    {
        "sweep": pa.string(),
        "encoder": pa.string(),
        "prompt": pa.string(),
        "prompt_name": pa.string(),
        "attribute": pa.string(),
        "group": pa.string(),
        "position": pa.int32(),
        # text: a template with the group's texts; image: one picture of the group
        "stimuli": pa.string(),
        "stimulus": pa.string(),
        "similarity": pa.float64(),
    },
    metadata=_VERSION,
)

DATA = pa.schema(
    {
        # Where the picture lies; null where it cannot be had.
        "reference": pa.string(),
        "caption": pa.string(),
        "error": pa.string(),
        "embedding": pa.list_(pa.float32()),
    },
    metadata=_VERSION,
)

MATCHES = pa.schema(
    {
        "sweep": pa.string(),
        "source": pa.string(),
        "match": pa.string(),
        "prompt": pa.string(),
        "prompt_name": pa.string(),
        "image_id": pa.string(),
        "reference": pa.string(),
        "similarity": pa.float64(),
        # By similarity among the prompt's nearest; null for other matchings.
        "rank": pa.int64(),
        # Whether an earlier match of the prompt is nearly the same picture.
        "duplicate": pa.bool_(),
    },
    metadata=_VERSION,
)

MATCHINGS = pa.schema(
    {
        "sweep": pa.string(),
        "source": pa.string(),
        "match": pa.string(),
        "prompt": pa.string(),
        "prompt_name": pa.string(),
        # The sweep that the matched pictures are.
        "data_sweep": pa.string(),
        "n": pa.int64(),
        "duplicates": pa.int64(),
        "threshold": pa.float64(),
        "precision": pa.float64(),
        "recall": pa.float64(),
        # Of the whole source: pictures, rows that could not be read, pictures without a caption.
        "pictures": pa.int64(),
        "damaged": pa.int64(),
        "without_caption": pa.int64(),
    },
    metadata=_VERSION,
)

DECISIONS = pa.schema(
    {
        "sweep": pa.string(),
        "kind": pa.string(),
        "round": pa.int32(),
        "model": pa.string(),
        "setting": pa.string(),
        "prompt": pa.string(),
        "prompt_name": pa.string(),
        "attribute": pa.string(),
        "value": pa.string(),
        # Numbers, as JSON: what the decision was read off.
        "evidence": pa.string(),
        # What of the spec the decision was made by: under another rule it counts no more.
        "rule": pa.string(),
    },
    metadata=_VERSION,
)

FOLDERS = {
    "plan": PLAN,
    "sources": SOURCES,
    "images": IMAGES,
    "labels": LABELS,
    "targets": TARGETS,
    "settings": SETTINGS,
    "references": REFERENCES,
    "calibration": CALIBRATION,
    "encoder_tests": ENCODER_TESTS,
    "encoder_similarities": ENCODER_SIMILARITIES,
    "data": DATA,
    "matches": MATCHES,
    "matchings": MATCHINGS,
    "decisions": DECISIONS,
}


@lru_cache
def writing(schema: pa.Schema) -> dict[str, Any]:
    """Return how Parquet of a schema is written.

    A picture does not get smaller, and a byte that flips in it would be read as another picture but for the checksums.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    leaves = pq.ParquetFile(sink.getvalue()).schema
    paths = [leaves.column(place).path for place in range(len(leaves))]
    repeated = [path for path in paths if not path.startswith(_UNLIKE)]
    return {"compression": "zstd", "write_page_checksum": True, "use_dictionary": repeated}

"""A byte that flips inside a page: a run that reads it makes that file's images again, and no others."""

import copy

import pyarrow.parquet as pq
import pytest

from support.checks import assert_exactly_once


@pytest.mark.slow
def test_a_byte_that_flips_in_a_picture_costs_its_file_alone(tiny_data, tmp_path, run_sweep):
    assert run_sweep(tiny_data, tmp_path).complete
    path = min(tmp_path.glob("images/*/*/*.parquet"))
    chunk = next(
        column
        for column in map(pq.read_metadata(path).row_group(0).column, range(20))
        if column.path_in_schema == "image.bytes"
    )
    content = bytearray(path.read_bytes())
    content[(chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    lost = pq.read_metadata(path).num_rows
    data = copy.deepcopy(tiny_data)
    data["classifiers"].append({"name": "more", "kind": "pixels:Pixels"})
    outcome = run_sweep(data, tmp_path)
    assert (outcome.made, outcome.complete) == (lost, True)
    assert_exactly_once(tmp_path, 16, labels_per_image=6)
    assert path.with_name(path.name + ".damaged").exists()

"""A whole sweep in a bucket on real Ray: made, resumed, asked, merged, and the same as on a disk."""

import os
import re
from pathlib import Path

import duckdb
import pytest

from fairsweep import cli
from fairsweep.engine.upload import runtime_env
from fairsweep.errors import ClusterError
from fairsweep.measure.catalogue import connect
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from support.buckets import SECRET
from support.checks import ask, assert_exactly_once

IMAGES = "select image_id, model, setting, prompt, width, height, batch_size, error from images order by all"
LABELS = "select image_id, classifier, attribute, label, score, error from labels order by all"
SHARES = "select * from share order by all"


@pytest.fixture(scope="module")
def sweeps(s3, run_sweep, tiny_model, tmp_path_factory):
    """Return the roots of one sweep in a bucket, made in two runs of whole batches, and of the same on a disk."""
    from support.specs import small_sweep

    folder, data = tmp_path_factory.mktemp("disk"), small_sweep(tiny_model)
    root = f"s3://bucket/{folder.name}"
    first = run_sweep(data, root, limit=8)
    assert (first.made, first.labelled) == (8, 8)
    assert run_sweep(data, root).made == 8
    assert run_sweep(data, root).made == 0, "nothing is made twice"
    assert run_sweep(data, folder).made == 16
    return root, folder


def test_a_sweep_in_a_bucket_is_that_on_a_disk(sweeps):
    bucket, disk = sweeps
    assert_exactly_once(bucket, 16)
    for query in (IMAGES.replace("batch_size, ", ""), LABELS, SHARES):
        assert ask(bucket, query) == ask(disk, query)
    assert pixels(bucket) == pixels(disk)


def pixels(root) -> dict[str, bytes]:
    from fairsweep.pages import pictures

    store = Store(root)
    ids = [row[0] for row in ask(root, "select image_id from images")]
    return pictures.read(store, connect(store), ids)


def test_every_command_takes_a_bucket(sweeps, tmp_path, capsys, write_spec, tiny_data):
    store, report, grid = sweeps[0], tmp_path / "report.html", tmp_path / "grid.png"
    spec = str(write_spec(tiny_data))
    for command in (
        ["plan", spec],
        ["status"],
        ["sql", "select count(*) as images from images"],
        ["measure"],
        ["report", "-o", str(report)],
        ["show", "--prompt", "nurse", "-o", str(grid)],
        ["compact"],
        ["verify"],
    ):
        assert cli.run([*command, "--store", store]) == 0, command
    printed = capsys.readouterr()
    assert re.search(r"nurse|none +8 +8 +8", printed.out) and "16" in printed.out
    assert report.read_text().count("data:image/webp") >= 16 and grid.stat().st_size > 1000
    assert cli.run(["ui", "--store", store]) == 2
    assert cli.run(["track", "--store", store]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("cannot lie in a bucket: name a server with --mlflow" in line for line in lines)
    assert SECRET not in printed.out + printed.err + report.read_text()


def test_an_export_is_a_store_of_its_own(sweeps, tmp_path, capsys):
    root, folder = sweeps[0], tmp_path / "copy"
    assert cli.run(["export", str(folder), "--store", root]) == 0
    for query in (IMAGES, LABELS, SHARES):
        assert ask(folder, query) == ask(root, query)
    with duckdb.connect(str(folder / "fairsweep.duckdb"), read_only=True) as sql:
        assert sql.execute("select count(*) from pictures where image is not null").fetchall() == [(16,)]
    capsys.readouterr()
    assert cli.run(["export", str(folder), "--store", root]) == 0
    assert capsys.readouterr().out.startswith("0 files copied")
    assert cli.run(["export", str(folder), "--store", str(folder)]) == 2


def test_an_import_into_a_bucket(bucket, tmp_path, capsys):
    file = tmp_path / "labels.csv"
    file.write_text("prompt,image,gender\nnurse,1,female\nnurse,2,male\nnurse,3,female\n")
    command = ["import", str(file), "--groups", "gender=female,male", "--store", bucket]
    assert cli.run(command) == 0
    assert ask(bucket, "select label, count(*) from labels group by all order by all") == [("female", 2), ("male", 1)]
    assert cli.run(command) == 2
    assert cli.run([*command, "--replace"]) == 0
    assert ask(bucket, "select count(*) from labels") == [(3,)]


def test_rights_are_given_to_no_job(tiny_data, write_spec):
    spec = SweepSpec.model_validate(tiny_data)
    path: Path = write_spec(tiny_data)
    assert SECRET not in str(runtime_env(spec, path, path.parent, ()))
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
    with pytest.raises(ClusterError, match="whoever reaches the cluster's dashboard could read it"):
        runtime_env(spec, path, path.parent, ["AWS_SECRET_ACCESS_KEY"])

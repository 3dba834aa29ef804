"""Results of many machines in one store: sweeps, images and labels, each once."""

import pytest

from fairsweep import cli
from fairsweep.store import Store
from support.checks import ask
from support.synthetic import build, write_labels, write_pictures, write_plan

GROUPS = {"gender": ("female", "male")}


def part(root, seeds, sweep="audit", counted=8) -> Store:
    """Write a store that holds some of a sweep's eight images, and the plan of all."""
    labels = [{"seed": seed, "gender": ("female", "male")[seed % 2], "alignment": 0.2} for seed in range(counted)]
    store = Store(root)
    write_plan(store, labels, GROUPS, sweep)
    own = [label for label in labels if label["seed"] in seeds]
    write_pictures(store, own, sweep)
    write_labels(store, own, GROUPS, sweep)
    store.write_spec(sweep, {"fingerprint": f"{sweep} {counted}", "spec": {"name": sweep}})
    return store


def bring(store, other) -> int:
    return cli.run(["import", str(other.root), "--store", str(store.root)])


def test_two_machines_that_shared_a_sweep(tmp_path, capsys):
    mine, other = part(tmp_path / "mine", range(5)), part(tmp_path / "other", range(3, 8))
    pictures = ask(other.root, "select image_id, image.bytes from pictures order by all")
    assert bring(mine, other) == 0
    assert "1 sweeps (audit), 3 images and 6 labels that were not here" in capsys.readouterr().out
    assert ask(mine.root, "select count(*), count(distinct image_id) from images") == [(8, 8)]
    assert ask(mine.root, "select images, n from distributions") == [(8, 8)]
    assert ask(mine.root, "select count(*), count(distinct (image_id, attribute)) from label_rows") == [(16, 16)]
    assert set(pictures) <= set(ask(mine.root, "select image_id, image.bytes from pictures"))
    assert bring(mine, other) == 0
    assert "0 images and 0 labels" in capsys.readouterr().out


def test_other_sweeps_imports_and_references_come_along(tmp_path):
    mine, other = part(tmp_path / "mine", range(8)), build(tmp_path / "other" / "store", prompts=("nurse",), seeds=4)
    (other.root / "plan" / "audit.parquet").rename(other.root / "plan" / "x.parquet")
    (other.root / "plan" / "x.parquet").unlink()
    later = part(other.root, range(8), "later")
    counts = tmp_path / "counts.csv"
    counts.write_text("prompt,female,male\nnurse,30,10\n")
    words = ["import", str(counts), "--groups", "gender=female,male", "--name", "published"]
    assert cli.run([*words, "--store", str(later.root)]) == 0
    assert bring(mine, later) == 0
    counted = "select sweep, sum(n)::int from distributions where attribute = 'gender' group by all order by all"
    assert ask(mine.root, counted) == [("audit", 8), ("later", 8), ("published", 40)]
    assert ask(mine.root, "select distinct reference from reference_shares") == [("planted",)]


def test_what_is_not_the_same_is_refused_before_anything_is_written(tmp_path, capsys):
    mine, other = part(tmp_path / "mine", range(8)), part(tmp_path / "other", range(8), counted=10)
    files = sorted(mine.root.rglob("*.parquet"))
    assert bring(mine, other) == 2
    assert "both stores have a sweep 'audit', and they are not the same" in capsys.readouterr().err
    again = part(tmp_path / "again", range(8))
    mine.write_classifier("clip", {"kind": "open_clip", "params": {"model": "a"}})
    again.write_classifier("clip", {"kind": "open_clip", "params": {"model": "b"}})
    assert bring(mine, again) == 2
    assert "whose labels were made with other settings" in capsys.readouterr().err
    assert sorted(mine.root.rglob("*.parquet")) == files


def test_a_store_into_a_bucket_and_back(tmp_path, bucket):
    folder = part(tmp_path / "folder", range(8))
    assert cli.run(["import", str(folder.root), "--store", bucket]) == 0
    assert cli.run(["import", bucket, "--store", str(tmp_path / "back")]) == 0
    pictures = "select image_id, image.bytes from pictures order by all"
    assert ask(tmp_path / "back", pictures) == ask(folder.root, pictures)


def test_a_store_is_not_brought_into_itself(tmp_path, capsys):
    mine = part(tmp_path / "mine", range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert cli.run(["import", "mine", "--store", str(mine.root)]) == 2
    assert "this is the store itself" in capsys.readouterr().err

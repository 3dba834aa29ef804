"""Confusion counts of a classifier on images of known truth."""

import pytest
from PIL import Image
from rich.console import Console

from fairsweep.engine import cluster
from fairsweep.engine.run import label
from fairsweep.errors import ImportDataError
from fairsweep.imports.calibration import count, labelled, rendered, stage
from fairsweep.imports.labellers import label_spec
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store

DECLARED = {"gender": ("female", "male")}


def samples():
    image = Image.new("RGB", (8, 8))
    truths = ["male"] * 3 + ["female"] + ["female"] * 6 + ["male"] * 2
    return [(image, "doctor" if place < 4 else "nurse", {"gender": truth}) for place, truth in enumerate(truths)]


def labelled_by(kind: str, scratch: Store, address: str):
    """Stage the samples and label them on the cluster."""
    staged, quiet = stage(scratch, DECLARED, samples()), Console(quiet=True)
    with cluster.connected(address):
        return staged, label(label_spec(DECLARED, [kind], "reader"), scratch, staged.plan, quiet)


def test_counts_of_truth_and_label(tmp_path, ray_cluster):
    store = Store(tmp_path)
    scratch = store.scratch("calibration", "reader")
    staged, outcome = labelled_by("truths:Reversed", scratch, ray_cluster)
    assert (outcome.labelled, outcome.failed_labels) == (12, 0)
    count(store, scratch, "reader", staged.truths)
    rows = connect(store).execute("select truth, label, count, n from confusion order by all").fetchall()
    assert rows == [
        ("female", "female", 6, 7),
        ("female", "male", 1, 7),
        ("male", "female", 2, 5),
        ("male", "male", 3, 5),
    ]
    _, again = labelled_by("truths:Reversed", scratch, ray_cluster)
    assert (again.labelled, again.failed_labels) == (0, 0)
    scratch.discard()
    assert not scratch.root.exists()


def test_what_a_classifier_fails_on_counts_for_nothing_and_is_said(tmp_path, ray_cluster):
    store = Store(tmp_path)
    scratch = store.scratch("calibration", "reader")
    staged, outcome = labelled_by("truths:Forgetful", scratch, ray_cluster)
    assert (outcome.labelled, outcome.failed_labels) == (4, 8)
    assert "nurses are not in my book" in outcome.failed[0][1]
    rows = count(store, scratch, "reader", staged.truths)
    assert {(row["truth"], row["label"]): row["n"] for row in rows} == {("female", "male"): 1, ("male", "male"): 3}


def test_rendered_portraits_have_known_truth_and_repeat():
    first, again = (list(rendered(6, ("gender", "age"), seed=5)) for _ in range(2))
    assert {truth["gender"] for _, _, truth in first} <= {"female", "male"}
    assert [image.tobytes() for image, _, _ in first] == [image.tobytes() for image, _, _ in again]


def test_own_images_with_known_truth(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "truth.csv").write_text("file,gender\na.png,female\n")
    ((_, _, truth),) = labelled(tmp_path / "truth.csv", {"gender": ("female", "male")})
    assert truth == {"gender": "female"}
    (tmp_path / "truth.csv").write_text("file,gender\nb.png,female\n")
    with pytest.raises(ImportDataError, match=r"row 1: there is no file 'b.png'"):
        list(labelled(tmp_path / "truth.csv", {"gender": ("female", "male")}))

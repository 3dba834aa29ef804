"""Classifiers: what reads groups off images, one file each."""

from fairsweep.classifiers.base import Classifier, Label
from fairsweep.registry import find

CLASSIFIERS = {
    "portraits": "fairsweep.classifiers.portraits:Portraits",
    "open_clip": "fairsweep.classifiers.open_clip:OpenClip",
    "faces": "fairsweep.classifiers.faces:Faces",
    "transformers": "fairsweep.classifiers.transformers:Transformers",
}

__all__ = ["CLASSIFIERS", "Classifier", "Label", "get_classifier"]


def get_classifier(kind: str) -> type[Classifier]:
    """Return the classifier class of that kind, or the user's own as "module:Class"."""
    return find(kind, CLASSIFIERS, "classifier", Classifier)

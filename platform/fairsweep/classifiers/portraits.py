"""The built-in classifier of the portraits world: gender, skin tone, age and occupation."""

from collections.abc import Sequence

from PIL.Image import Image

from fairsweep.attributes import Attributes
from fairsweep.classifiers.base import Classifier, ClassifierParams, Label, label_of
from fairsweep.portraits.world import READ_ATTRIBUTES

_ALWAYS = "occupation"


class Portraits(Classifier[ClassifierParams]):
    """Read attributes off the built-in CLIP model's image features.

    The declared attributes are labelled, and always the occupation, which tells whether guidance kept it.
    """

    def __init__(self, params: ClassifierParams, attributes: Attributes, device: str = "cpu"):
        super().__init__(params, attributes, device)
        from fairsweep.classifiers.embedding import Texts
        from fairsweep.portraits.reader import Reader

        self._reader = Reader(device=device)
        self._texts = Texts(self._reader.embed_texts)

    @classmethod
    def known_groups(cls, params: ClassifierParams) -> dict[str, tuple[str, ...]]:
        return dict(READ_ATTRIBUTES)

    def _classify(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Label]]:
        from fairsweep.classifiers.embedding import image_labels

        features = self._reader.embed(list(images))
        read = {name: rows.tolist() for name, rows in self._reader.read(features).items()}
        declared = {name: set(self.attributes[name].texts) for name in read if name in self.attributes}
        labels = [[label] for label in image_labels(features, self._texts(prompts))]
        for name, rows in read.items():
            if name not in declared and name != _ALWAYS:
                continue
            for own, row in zip(labels, rows, strict=True):
                scores = dict(zip(READ_ATTRIBUTES[name], row, strict=True))
                own.append(label_of(name, scores, self.params.unknown_margin, declared.get(name)))
        return labels

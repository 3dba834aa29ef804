"""Any Hugging Face image-classification model, FairFace-style ones included: a map from labels to groups."""

from collections.abc import Sequence

from PIL.Image import Image
from pydantic import Field

from fairsweep.attributes import Attributes
from fairsweep.classifiers.base import UNKNOWN, Classifier, ClassifierParams, Label, label_of
from fairsweep.errors import FairsweepError, ModelLoadError, near
from fairsweep.hub import reason_of
from fairsweep.mistakes import mistake


class TransformersParams(ClassifierParams):
    """Which model, and what its labels mean: attribute -> the model's label -> group."""

    model: str = Field(min_length=1, description="a Hub id or a folder")
    revision: str | None = Field(default=None, description="of a Hub id: a commit, tag or branch")
    labels: dict[str, dict[str, str]] = Field(min_length=1, description="attribute -> the model's label -> group")


class Transformers(Classifier[TransformersParams]):
    """Add up the probabilities of the model's labels by group; labels without a group count as unknown."""

    Params = TransformersParams

    def __init__(self, params: TransformersParams, attributes: Attributes, device: str = "cpu"):
        super().__init__(params, attributes, device)
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        source = {"pretrained_model_name_or_path": params.model, "revision": params.revision}
        try:
            self._processor = AutoImageProcessor.from_pretrained(**source)
            self._model = AutoModelForImageClassification.from_pretrained(**source, use_safetensors=True)
        except Exception as error:
            raise ModelLoadError(f"image classifier {params.model} {reason_of(error)}") from None
        self._model.to(device).eval()
        self._names = [self._model.config.id2label[index] for index in range(self._model.config.num_labels)]
        for label in (label for mapping in params.labels.values() for label in mapping):
            if label not in self._names:
                raise FairsweepError(f"{params.model} has no label {label!r}{near(label, self._names)}")

    @classmethod
    def known_groups(cls, params: TransformersParams) -> dict[str, tuple[str, ...]]:
        return {name: tuple(dict.fromkeys(mapping.values())) for name, mapping in params.labels.items()}

    @classmethod
    def check(cls, params: TransformersParams, attributes: Attributes) -> None:
        for name, mapping in params.labels.items():
            for label, group in mapping.items():
                if name in attributes and group not in attributes[name].texts:
                    hint = near(group, attributes[name].texts)
                    raise mistake(f"attribute {name!r} has no group {group!r}{hint}", "labels", name, label)

    def _classify(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Label]]:
        import torch

        with torch.inference_mode():
            inputs = self._processor([image.convert("RGB") for image in images], return_tensors="pt")
            logits = self._model(**inputs.to(self.device)).logits
            return [self._labels(row) for row in logits.float().softmax(-1).tolist()]

    def _labels(self, probabilities: list[float]) -> list[Label]:
        labels = []
        for attribute, mapping in self.params.labels.items():
            scores: dict[str, float] = dict.fromkeys(mapping.values(), 0.0)
            for name, probability in zip(self._names, probabilities, strict=True):
                group = mapping.get(name, UNKNOWN)
                scores[group] = scores.get(group, 0.0) + probability
            labels.append(label_of(attribute, scores, self.params.unknown_margin))
        return labels

"""Zero-shot labels with any open_clip model: the group whose texts the image is nearest to."""

from collections.abc import Sequence

from PIL.Image import Image
from pydantic import Field

from fairsweep.attributes import Attributes
from fairsweep.classifiers.base import NO_FACE, Classifier, ClassifierParams, Label, label_of
from fairsweep.classifiers.templates import TEMPLATES, Templates, fill


class OpenClipParams(ClassifierParams):
    """Which model, and the sentences that a group's text is put into."""

    model: str = Field(
        default="ViT-B-32", description="an architecture, hf-hub:<id>, local-dir:<folder> or builtin:portraits"
    )
    pretrained: str | None = Field(default=None, description="the tag or checkpoint of an architecture's weights")
    templates: Templates = Field(
        default=TEMPLATES, description="sentences for a group's text, whose embeddings are averaged"
    )
    no_face_text: str | None = Field(default=None, description="no_face is the label where this text fits best")


class OpenClip(Classifier[OpenClipParams]):
    """Compare an image with each group's texts, averaged over a prompt ensemble (CLIP, arXiv 2103.00020)."""

    Params = OpenClipParams

    def __init__(self, params: OpenClipParams, attributes: Attributes, device: str = "cpu"):
        super().__init__(params, attributes, device)
        from fairsweep.classifiers.clip import Clip
        from fairsweep.classifiers.embedding import Texts

        self._clip = Clip(params.model, params.pretrained, device)
        self._texts = Texts(self._clip.embed_texts)
        self._groups = {name: self._ensembles(attribute.texts) for name, attribute in attributes.items()}

    def _classify(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Label]]:
        import torch

        from fairsweep.classifiers.embedding import image_labels

        with torch.inference_mode():
            features = self._clip.embed_images(images)
            labels = [[label] for label in image_labels(features, self._texts(prompts))]
            for name, (groups, texts) in self._groups.items():
                logits = self._clip.scale * features @ texts.T
                for own, row in zip(labels, logits.float().softmax(-1).tolist(), strict=True):
                    scores = dict(zip(groups, row, strict=True))
                    own.append(label_of(name, scores, self.params.unknown_margin))
        return labels

    def _ensembles(self, texts: dict[str, str]):
        """Return the candidates and their mean text features, [candidates, dimensions], of unit length."""
        import torch

        if self.params.no_face_text:
            texts = {**texts, NO_FACE: self.params.no_face_text}
        means = [
            self._clip.embed_texts([fill(template, text) for template in self.params.templates]).mean(0)
            for text in texts.values()
        ]
        return list(texts), torch.nn.functional.normalize(torch.stack(means), dim=-1)

"""Classifiers with small random-weight models of the real architectures; rows are checked against plain use."""

import json
import math

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import Compose, Lambda

from fairsweep.attributes import AttributeSpec
from fairsweep.classifiers import Classifier, Label, get_classifier
from fairsweep.classifiers.base import ClassifierParams, label_of
from fairsweep.classifiers.clip import Clip
from fairsweep.engine.label import Labeller
from fairsweep.errors import FairsweepError, ModelLoadError
from fairsweep.spec import LabelSpec
from support import tiny

ATTRIBUTES = {
    "gender": AttributeSpec.declare({"female": "female person", "male": "male person"}),
    "age": AttributeSpec.declare({"young": "young person", "old": "old person"}),
}
IMAGES = [Image.effect_noise((40, 40), sigma).convert("RGB") for sigma in (10, 60, 120)]
PROMPTS = ["a photo of a nurse", "a photo of a doctor", "a photo of a nurse"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A small open_clip model as a folder: config, weights, tokenizer."""
    import open_clip

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    tokenizer = tiny.clip_tokenizer()
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": len(tokenizer),
            "width": 32,
            "heads": 2,
            "layers": 2,
            "hf_tokenizer_name": "tiny",
        },
    }
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    content = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    (folder / "open_clip_config.json").write_text(content)
    tokenizer.save_pretrained(folder)
    weights = open_clip.CLIP(**config).state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory):
    """A small image classifier with FairFace-style labels."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    names = ["Male White", "Male Black", "Female White", "Female Black", "Statue"]
    ViTForImageClassification(
        ViTConfig(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
            id2label=dict(enumerate(names)),
            label2id={name: index for index, name in enumerate(names)},
        )
    ).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def build(kind, attributes=ATTRIBUTES, **params):
    classifier = get_classifier(kind)
    return classifier(classifier.Params(**params), attributes, "cpu")


def test_open_clip_is_zero_shot_over_the_group_texts(clip_folder):
    templates = ("a photo of a {}", "{}")
    classifier = build("open_clip", model=f"local-dir:{clip_folder}", templates=templates, batch_size=2)
    found = classifier.classify(IMAGES, PROMPTS)
    import open_clip

    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{clip_folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{clip_folder}")
    with torch.no_grad():
        for image, prompt, labels in zip(IMAGES, PROMPTS, found, strict=True):
            features = model.encode_image(preprocess(image)[None], normalize=True)
            whole, gender, age = labels
            assert whole.attribute == "_image"
            assert torch.allclose(torch.tensor(whole.embedding), features[0], atol=1e-5)
            cosine = features @ model.encode_text(tokenizer([prompt]), normalize=True).T
            assert whole.score == pytest.approx(cosine.item(), abs=1e-5)
            means = [
                torch.nn.functional.normalize(
                    model.encode_text(tokenizer([f"{article} {text}", text]), normalize=True).mean(0), dim=0
                )
                for article, text in (("a photo of a", "young person"), ("a photo of an", "old person"))
            ]
            wanted = (model.logit_scale.exp() * features @ torch.stack(means).T).softmax(-1)[0]
            assert list(age.scores.values()) == pytest.approx(wanted.tolist(), abs=1e-5)
            assert age.label == ["young", "old"][wanted.argmax()]
            assert gender.label in ("female", "male")


def test_open_clips_own_transforms_decide_every_bit(clip_folder):
    clip = Clip(f"local-dir:{clip_folder}")
    sizes = [(32, 32), (40, 64), (64, 40), (31, 33)]
    pictures = [Image.effect_noise(size, 90).convert(mode) for size in sizes for mode in ("RGB", "L", "RGBA", "P")]
    with torch.inference_mode():
        pixels = torch.stack([clip.preprocess(picture.convert("RGB")) for picture in pictures])
        wanted = clip.model.encode_image(pixels, normalize=True)
    assert torch.equal(clip.embed_images(pictures), wanted)
    # Transforms that are none of open_clip's.
    clip.preprocess = Compose([*clip.preprocess.transforms, Lambda(torch.clone)])
    assert torch.equal(clip.embed_images(pictures), wanted)


def test_open_clip_margin_and_no_face(clip_folder):
    sure = build("open_clip", model=f"local-dir:{clip_folder}", unknown_margin=1.0)
    assert {label.label for labels in sure.classify(IMAGES, PROMPTS) for label in labels[1:]} == {"unknown"}
    faces = build("open_clip", model=f"local-dir:{clip_folder}", no_face_text="a photo of a wall")
    assert set(faces.classify(IMAGES[:1], PROMPTS[:1])[0][1].scores) == {"female", "male", "no_face"}


def test_transformers_maps_and_adds_up_labels(vit_folder):
    """Each image's own scores, by hand from the model's logits: batch after batch, and nothing sure at margin 1."""
    from transformers import ViTForImageClassification, ViTImageProcessor

    labels = {
        "gender": {"Male White": "male", "Male Black": "male", "Female White": "female", "Female Black": "female"},
        "skin_tone": {"Male White": "light", "Female White": "light"},
    }
    found = build("transformers", model=str(vit_folder), labels=labels, batch_size=2).classify(IMAGES, PROMPTS)
    model, processor = (kind.from_pretrained(vit_folder) for kind in (ViTForImageClassification, ViTImageProcessor))
    for image, (gender, skin) in zip(IMAGES, found, strict=True):
        with torch.no_grad():
            logits = model(**processor(image, return_tensors="pt")).logits[0]
        male_white, male_black, female_white, female_black, statue = (logits.exp() / logits.exp().sum()).tolist()
        wanted = {"male": male_white + male_black, "female": female_white + female_black, "unknown": statue}
        assert gender.scores == pytest.approx(wanted, abs=1e-5)
        assert gender.label == max(wanted, key=wanted.get)
        light = male_white + female_white
        assert skin.scores == pytest.approx({"light": light, "unknown": 1 - light}, abs=1e-5)
        assert skin.label == ("light" if light > 0.5 else "unknown")
    assert len({round(gender.scores["male"], 4) for gender, _ in found}) == len(IMAGES)
    unsure = build("transformers", model=str(vit_folder), labels=labels, unknown_margin=1.0)
    assert {label.label for labels in unsure.classify(IMAGES, PROMPTS) for label in labels} == {"unknown"}
    kind = get_classifier("transformers")
    known = kind.known_groups(kind.Params(model="x", labels=labels))
    assert known == {"gender": ("male", "female"), "skin_tone": ("light",)}
    with pytest.raises(FairsweepError, match="has no label 'Male Whit'; did you mean 'Male White'"):
        build("transformers", model=str(vit_folder), labels={"gender": {"Male Whit": "male"}})


def test_label_of():
    assert label_of("gender", {"female": 0.6, "male": 0.4}).label == "female"
    assert label_of("gender", {"female": 0.6, "male": 0.4}, margin=0.3) == Label(
        "gender", "unknown", 0.6, {"female": 0.6, "male": 0.4}
    )
    assert label_of("skin_tone", {"light": 0.2, "medium": 0.8}, groups={"light", "dark"}).label == "unknown"


class AlwaysFemale(Classifier):
    """A user's own classifier."""

    def _classify(self, images, prompts):
        return [[Label("gender", "female", 1.0, {"female": 1.0})] for _ in images]


def test_a_users_own_classifier():
    classifier = build(f"{__name__}:AlwaysFemale", batch_size=2)
    assert classifier.Params is ClassifierParams
    assert [labels[0].label for labels in classifier.classify(IMAGES, PROMPTS)] == ["female"] * 3


class Overflowing(Classifier):
    """What half precision gives of three images: a NaN for the first, no direction for the second."""

    def _classify(self, images, prompts):
        scores = [{"female": math.nan, "male": math.nan}, *[{"female": 0.9, "male": 0.1}] * 2]
        embeddings = [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
        return [
            [label_of("gender", own, 0.0), Label("_image", "", 0.3, {}, embedding)]
            for own, embedding in zip(scores, embeddings, strict=True)
        ]


def test_what_is_no_number_is_a_label_that_failed():
    """Of two scores that are NaN none is the better one: the first group would win."""
    spec = LabelSpec(
        attributes={"gender": ATTRIBUTES["gender"]}, classifiers=[{"name": "over", "kind": f"{__name__}:Overflowing"}]
    )
    rows = Labeller(spec, spec.classifiers[0], "cpu").rows(IMAGES, ["a", "b", "c"], PROMPTS)
    failed = {(row["image_id"], row["attribute"]) for row in rows if row.get("error")}
    assert len(rows) == 6 and failed == {("a", "gender"), ("b", "_image")}


def test_bad_input_is_one_clear_line():
    with pytest.raises(FairsweepError, match="unknown classifier 'openclip'; did you mean 'open_clip'"):
        get_classifier("openclip")
    with pytest.raises(ModelLoadError, match="image classifier /nowhere cannot be loaded"):
        build("transformers", model="/nowhere", labels={"gender": {"a": "b"}})
    with pytest.raises(ModelLoadError, match="open_clip model local-dir:/nowhere cannot be loaded"):
        build("open_clip", model="local-dir:/nowhere")
    with pytest.raises(ValueError, match="must hold"):
        get_classifier("open_clip").Params(templates=["a photo"])

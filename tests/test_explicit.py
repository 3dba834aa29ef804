"""Prompts that name a group are told from those that do not: by words, and by the built-in model's text encoder."""

import numpy as np
import pytest
from scipy import stats

from fairsweep.attributes import AttributeSpec
from fairsweep.audits.encoder.encoders import load
from fairsweep.plan.explicit import by_words, gate, threshold
from fairsweep.plan.naming import naming
from fairsweep.portraits.world import OCCUPATIONS
from fairsweep.spec import SweepSpec
from fairsweep.spec.encoder import EncoderSpec

GENDER = AttributeSpec.declare({"female": "female person", "male": "male person"})
TONES = AttributeSpec.declare(
    {"light": "light-skinned person", "medium": "medium-skinned person", "dark": "dark-skinned person"}
)
FORMS = (
    "a photo of the face of a {}",
    "a portrait of a {}",
    "a photo of a {}",
    "a close up headshot of a {} smiling",
    "a photo of the face of a young {}",
    "{} with glasses",
)
# How prompts name a group, in words that no group's text has as well.
NAMES = {
    "gender": ("female {}", "male {}", "{} woman", "{} man"),
    "skin_tone": ("light-skinned {}", "medium-skinned {}", "dark-skinned {}", "dark skinned {}"),
}


@pytest.fixture(scope="module")
def encode():
    """Return the text encoder of the built-in model."""
    spec = SweepSpec.model_validate(
        {
            "name": "gate",
            "models": [{"source": "builtin:portraits"}],
            "prompts": ["a person"],
            "attributes": {"gender": {"groups": ["female", "male"]}},
            "guidance": [{"method": "none"}],
            "classifiers": [{"kind": "portraits"}],
            "seeds": 1,
        }
    )
    (encoder,) = load(EncoderSpec(name="text", kind="pipeline", model="portraits"), spec, "cpu")
    return encoder.texts


@pytest.mark.parametrize(
    ("prompt", "groups"),
    [
        ("a photo of a female doctor", {"gender": ("female",)}),
        ("A FEMALE, dark-skinned doctor", {"gender": ("female",), "skin_tone": ("dark",)}),
        ("a male and a female person", {"gender": ("female", "male")}),
        ("a photo of a person in the dark", {}),
        ("a photo of a doctor", {}),
        ("females and a woman", {}),
    ],
)
def test_a_word_that_only_one_group_has_names_it(prompt, groups):
    assert by_words(prompt, {"gender": GENDER, "skin_tone": TONES}) == groups


def prompts(kind: str) -> tuple[list[str], list[str]]:
    """Return 60 neutral and 60 explicit prompts of portraits, the same occupations and forms (numpy seed 70)."""
    rng = np.random.default_rng(70)
    neutral = [form.format(job) for form in FORMS for job in OCCUPATIONS]
    explicit = [form.format(name.format(job)) for form in FORMS for name in NAMES[kind] for job in OCCUPATIONS]
    return [rng.permutation(each)[:60].tolist() for each in (neutral, explicit)]


@pytest.mark.parametrize(("kind", "attribute"), [("gender", GENDER), ("skin_tone", TONES)])
def test_the_encoder_parts_neutral_from_explicit_prompts(encode, kind, attribute):
    """The area under the curve is .95 or more, and of neither kind is more than one prompt taken for the other.

    With the words, no explicit prompt is missed, which would be steered against what it names.
    """
    own = gate(attribute, encode)
    neutral, explicit = prompts(kind)
    scores = [own.scores(each).max(1) for each in (neutral, explicit)]
    area = stats.mannwhitneyu(scores[1], scores[0]).statistic / (60 * 60)
    assert area >= 0.95 and own.area >= 0.95
    assert sum(own.named(each)[0] is not None for each in neutral) <= 1
    assert sum(own.named(each)[0] is None for each in explicit) <= 1
    assert all(naming(each, {}, kind, attribute, own).groups for each in explicit)


def test_the_group_that_is_named_is_told(encode):
    own = gate(GENDER, encode)
    texts = ["a photo of a woman", "a portrait of a man", "a photo of a male nurse"]
    assert [own.named(text)[0] for text in texts] == ["female", "male", "male"]


def test_words_stand_alone_where_an_encoder_does_not_tell_the_two_apart():
    """An encoder of noise (numpy seed 71) parts nothing, and names nothing."""

    def noise(texts):
        return np.stack([np.random.default_rng([71, *text.encode()]).normal(size=16) for text in texts])

    own = gate(GENDER, noise)
    assert own.area < 0.95
    assert [own.named(text)[0] for text in prompts("gender")[1]] == [None] * 60
    assert naming("a female doctor", {}, "gender", GENDER, own).by == "word"


def test_a_threshold_lies_in_the_widest_gap_that_parts_best():
    assert threshold(np.array([0.0, 0.1, 0.2]), np.array([0.6, 0.7])) == pytest.approx(0.4)
    assert threshold(np.array([0.0, 0.5]), np.array([0.4, 0.9])) in (pytest.approx(0.2), pytest.approx(0.7))
    assert threshold(np.array([0.3]), np.array([0.3])) == 0.3

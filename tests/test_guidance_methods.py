"""What each guidance method makes of a prompt and a direction; no torch until images are made."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from fairsweep.attributes import AttributeSpec
from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Conditioning, Edit, toward
from fairsweep.methods import METHODS, get_method
from fairsweep.methods.base import GuidanceMethod

ATTRIBUTES = {
    "gender": AttributeSpec.declare({"female": "female person", "male": "male person"}),
    "skin_tone": AttributeSpec.declare({"light": "light person", "medium": "medium person", "dark": "dark person"}),
}
PROMPT = "a photo of a nurse"


def condition(name, direction=None, negative_prompt="", **params):
    method = get_method(name)
    return method.condition(PROMPT, negative_prompt, direction or {}, ATTRIBUTES, method.Params(**params))


def test_none_leaves_the_prompt_alone():
    assert condition("none", negative_prompt="blurry") == Conditioning(PROMPT, "blurry", None)


def test_fair_with_two_groups_is_fair_diffusions_pair():
    found = condition("fair", {"gender": "female"})
    shared = {"scale": 4.0, "threshold": 0.95, "warmup_steps": 5}
    pair = (Concept("female person", **shared), Concept("male person", reverse=True, **shared))
    assert found == Conditioning(PROMPT, "", Edit(pair, momentum_scale=0.5, momentum_beta=0.6))
    assert found.edit == toward("female person", "male person")


def test_fair_passes_every_parameter_on():
    shared = {"scale": 3.0, "threshold": 0.7, "warmup_steps": 2, "cooldown_steps": 9}
    momentum = {"momentum_scale": 0.2, "momentum_beta": 0.8}
    momentum["concepts_every"] = 2
    concepts = (Concept("male person", **shared), Concept("female person", reverse=True, weight=0.4, **shared))
    assert condition("fair", {"gender": "male"}, pull=0.4, **shared, **momentum).edit == Edit(concepts, **momentum)
    assert set(get_method("fair").Params.model_fields) == {*shared, *momentum, "pull"}
    assert "concepts_every" not in get_method("fair").Params().model_dump()


def test_fair_with_more_groups_pushes_one_and_pulls_the_others():
    concepts = condition("fair", {"skin_tone": "medium"}, pull=0.8).edit.concepts
    assert [(c.text, c.reverse, c.weight) for c in concepts] == [
        ("medium person", False, 1.0),
        ("light person", True, 0.4),
        ("dark person", True, 0.4),
    ]
    assert condition("fair", {"skin_tone": "medium"}).edit == toward("medium person", "light person", "dark person")
    assert [c.weight for c in condition("fair", {"skin_tone": "medium"}).edit.concepts] == [1.0, 0.05, 0.05]


def test_fair_steers_several_attributes_each_its_own_way():
    edit = condition("fair", {"gender": "male", "skin_tone": "dark"}, scale={"gender": 2, "skin_tone": 6}).edit
    assert [(c.text, c.reverse, c.scale) for c in edit.concepts] == [
        ("male person", False, 2.0),
        ("female person", True, 2.0),
        ("dark person", False, 6.0),
        ("light person", True, 6.0),
        ("medium person", True, 6.0),
    ]
    assert len(condition("fair", {"gender": "male"}, pull=0).edit.concepts) == 1
    assert condition("fair").edit is None


def test_baselines_write_text_only():
    suffix = "if all individuals can be that irrespective of their gender and skin tone"
    assert condition("prompt") == Conditioning(f"{PROMPT} {suffix}")
    direction = {"gender": "female", "skin_tone": "dark"}
    assert condition("attribute-prompt", direction).prompt == f"{PROMPT}, female person, dark person"
    template = "{groups}: {prompt}"
    assert condition("attribute-prompt", {"gender": "male"}, template=template).prompt == f"male person: {PROMPT}"
    assert condition("negative-prompt", negative_prompt="blurry", text="man").negative_prompt == "blurry, man"


def test_bad_input_names_the_near_word():
    with pytest.raises(FairsweepError, match="no group 'femal'; did you mean 'female'"):
        condition("fair", {"gender": "femal"})
    with pytest.raises(FairsweepError, match="attribute 'gendr' is not declared; did you mean 'gender'"):
        condition("fair", {"gendr": "female"})
    with pytest.raises(FairsweepError, match="no scale for 'gender'"):
        condition("fair", {"gender": "female"}, scale={"age": 3})
    with pytest.raises(FairsweepError, match="unknown guidance method 'fiar'; did you mean 'fair'"):
        get_method("fiar")
    for bad in ({"warmup": 3}, {"scale": [2, 4]}, {"scale": float("nan")}, {"momentum_scale": float("inf")}):
        with pytest.raises(ValidationError):
            get_method("fair").Params(**bad)
    with pytest.raises(ValidationError, match="must hold"):
        get_method("attribute-prompt").Params(template="{prompt}")


class Shout(GuidanceMethod):
    """A user's own method."""

    def condition(self, prompt, negative_prompt, direction, attributes, params):
        return Conditioning(prompt.upper(), negative_prompt)


def test_a_users_own_method():
    assert condition(f"{__name__}:Shout").prompt == PROMPT.upper()
    with pytest.raises(FairsweepError, match="has no 'Whisper'"):
        get_method(f"{__name__}:Whisper")
    with pytest.raises(FairsweepError, match="no module 'nowhere'"):
        get_method("nowhere:Method")


def test_specs_need_no_torch():
    """Every method and classifier, its parameters included, is there before torch is imported."""
    code = (
        "import sys; from fairsweep.methods import METHODS, get_method;"
        "from fairsweep.classifiers import CLASSIFIERS, get_classifier;"
        "[get_method(name).Params for name in METHODS];"
        "[get_classifier(kind).Params for kind in CLASSIFIERS];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert list(METHODS) == ["none", "fair", "prompt", "attribute-prompt", "negative-prompt"]

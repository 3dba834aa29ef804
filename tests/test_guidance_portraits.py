"""What fair guidance reaches on the built-in model, read by the built-in classifier."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import yaml
from PIL import Image

from fairsweep.attributes import AttributeSpec
from fairsweep.classifiers import get_classifier
from fairsweep.methods import get_method
from fairsweep.pipelines import load
from fairsweep.plan.quota import deal
from fairsweep.portraits.defaults import CONCEPTS, FAIR, GUIDANCE_SCALE, STEPS, prompt
from fairsweep.portraits.render import render
from fairsweep.portraits.world import OCCUPATIONS, sample
from fairsweep.shipped import path
from fairsweep.spec import ModelSpec
from support.checks import ask

SEEDS = range(40)
BATCH = 32


def attribute(name, **target):
    return AttributeSpec.declare(CONCEPTS[name], target)


@pytest.fixture(scope="module")
def pipeline():
    options = {"steps": STEPS, "guidance_scale": GUIDANCE_SCALE, "width": 64, "height": 64}
    return load(ModelSpec(name="portraits", source="builtin:portraits", **options), "cpu")


def guide(pipeline, attributes, occupations, seeds):
    """Return per occupation the labels of its images, attribute -> labels, directions dealt by quota."""
    method, kind = get_method("fair"), get_classifier("portraits")
    params = method.Params(**FAIR)
    targets = {name: spec.target for name, spec in attributes.items()}
    jobs, conditionings = [], []
    for job in occupations:
        for direction in islice(deal(targets, job), len(seeds)):
            jobs.append((job, seeds[len(jobs) % len(seeds)]))
            conditionings.append(method.condition(prompt(job), "", direction, attributes, params))
    images = []
    for start in range(0, len(jobs), BATCH):
        numbers = [seed for _, seed in jobs[start : start + BATCH]]
        images += pipeline.generate(conditionings[start : start + BATCH], numbers)
    classifier = kind(kind.Params(), attributes, "cpu")
    found = {job: {} for job in occupations}
    for (job, _), labels in zip(jobs, classifier.classify(images, [prompt(job) for job, _ in jobs]), strict=True):
        for label in labels:
            found[job].setdefault(label.attribute, []).append(label.label)
    return found


def distance(labels, target):
    """Return the largest difference between a group's share and its target."""
    counts = Counter(labels)
    return max(abs(counts[group] / len(labels) - share) for group, share in target.items())


def test_the_classifier_reads_drawn_portraits():
    """200 portraits drawn from seed 7: every attribute right in at least 95 %; the whole image has its row."""
    people = sample(200, 7)
    images = [Image.fromarray(render(person, 7_000 + i)) for i, person in enumerate(people)]
    kind = get_classifier("portraits")
    attributes = {name: attribute(name) for name in CONCEPTS}
    found = kind(kind.Params(), attributes, "cpu").classify(images, [prompt(p.occupation) for p in people])
    for name in (*CONCEPTS, "occupation"):
        read = [next(label.label for label in labels if label.attribute == name) for labels in found]
        right = [label == getattr(person, name) for label, person in zip(read, people, strict=True)]
        assert np.mean(right) >= 0.95, name
    whole = found[0][0]
    assert (whole.attribute, len(whole.embedding)) == ("_image", 128)
    assert np.linalg.norm(whole.embedding) == pytest.approx(1, abs=1e-3)


def test_a_group_that_is_not_declared_is_unknown():
    people = [person for person in sample(200, 7) if person.skin_tone == "medium"]
    images = [Image.fromarray(render(person, i)) for i, person in enumerate(people)]
    two = AttributeSpec.declare({"light": "light-skinned person", "dark": "dark-skinned person"})
    kind = get_classifier("portraits")
    found = kind(kind.Params(), {"skin_tone": two}, "cpu").classify(images, [""] * len(images))
    labels = [label.label for labels in found for label in labels if label.attribute == "skin_tone"]
    assert Counter(labels)["unknown"] >= 0.9 * len(labels)


CASES = {
    "half and half": {"gender": attribute("gender")},
    "70 to 30": {"gender": attribute("gender", female=0.7, male=0.3)},
    "three skin tones": {"skin_tone": attribute("skin_tone")},
    "gender and skin tone": {"gender": attribute("gender"), "skin_tone": attribute("skin_tone")},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_fair_guidance_reaches_its_target(pipeline, case):
    """Within 10 points of the target, and recognised in 90 % of images; seeds 0 to 39, each occupation in one case."""
    attributes = CASES[case]
    found = guide(pipeline, attributes, list(OCCUPATIONS)[list(CASES).index(case) :: len(CASES)], SEEDS)
    missed = {
        (job, name): round(distance(labels[name], spec.target), 3)
        for job, labels in found.items()
        for name, spec in attributes.items()
        if distance(labels[name], spec.target) > 0.10
    }
    recognised = np.mean([label == job for job, labels in found.items() for label in labels["occupation"]])
    assert not missed
    assert recognised >= 0.9


@pytest.mark.slow
def test_the_demo_shows_the_same_person_changed(run_sweep, tmp_path):
    """Firefighters, seeds 0 to 15: directions are followed, and a picture is more like its own unguided one."""
    data = yaml.safe_load((path("jobs") / "demo.yaml").read_text())
    data["prompts"]["variables"]["occupation"] = ["firefighter"]
    run_sweep(data | {"seeds": 16}, tmp_path)
    followed = dict(ask(tmp_path, "select attribute, steering from steering"))
    assert followed.keys() == {"gender", "skin_tone"} and min(followed.values()) >= 0.8
    query = "select scene_similarity, scene_floor from scene_similarity join scene_floor using (sweep, setting, prompt)"
    ((own, other),) = ask(tmp_path, query)
    assert own > other + 0.05

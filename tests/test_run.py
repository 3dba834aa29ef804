"""Sweeps on real Ray with a real pipeline: what is made, what resumes, what fails and what it costs."""

import copy
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from support.checks import ask, assert_exactly_once
from support.specs import small_sweep


def pictures(root) -> dict[str, bytes]:
    return dict(ask(root, "select image_id, image.bytes from pictures"))


@pytest.fixture(scope="module")
def finished(tiny_model, run_sweep, tmp_path_factory):
    """Return the folder and the outcome of one finished sweep; tests copy the folder."""
    root = tmp_path_factory.mktemp("finished")
    return root, run_sweep(small_sweep(tiny_model), root)


@pytest.fixture
def root(finished, tmp_path):
    """Return a copy of the finished sweep's store."""
    return shutil.copytree(finished[0], tmp_path / "store")


def test_a_sweep_makes_and_labels_every_image_once(tiny_data, root, finished, run_sweep):
    outcome = finished[1]
    assert (outcome.made, outcome.labelled, outcome.complete) == (16, 16, True)
    assert_exactly_once(root, 16)
    [(device, versions, seconds)] = ask(
        root, "select distinct device, versions, bool_and(seconds > 0) from images group by all"
    )
    assert device.startswith("cpu")
    assert json.loads(versions).keys() == {"fairsweep", "torch", "diffusers", "transformers", "decoding", "energy"}
    assert seconds
    again = run_sweep(tiny_data, root)
    assert (again.made, again.there, again.labelled) == (0, 16, 0)


def test_adding_runs_only_the_difference(tiny_data, root, run_sweep):
    data = copy.deepcopy(tiny_data)
    data["seeds"] = 5
    assert run_sweep(data, root).made == 4
    data["prompts"]["variables"]["occupation"].append("chef")
    assert run_sweep(data, root).made == 10
    data["guidance"].append({"method": "fair", "name": "strong", "scale": 9, "warmup_steps": 0})
    assert run_sweep(data, root).made == 15
    data["classifiers"].append({"name": "more", "kind": "pixels:Pixels"})
    outcome = run_sweep(data, root)
    assert (outcome.made, outcome.labelled) == (0, 45)
    assert run_sweep(data | {"name": "other"}, root).made == 0
    assert ask(root, "select count(*), count(distinct (image_id, classifier, attribute)) from labels") == [(180, 180)]


def test_adding_an_attribute_labels_only_that_attribute(tiny_data, root, run_sweep):
    data = copy.deepcopy(tiny_data)
    data["attributes"]["glasses"] = {"groups": ["no", "yes"]}
    data["guidance"] = [{"method": "none"}, {"method": "fair", "warmup_steps": 0, "attributes": ["gender", "age"]}]
    outcome = run_sweep(data, root)
    assert (outcome.made, outcome.labelled) == (0, 16)
    assert ask(root, "select attribute, count(*) from labels group by 1 order by 1") == [
        ("age", 16),
        ("gender", 16),
        ("glasses", 16),
    ]


@pytest.mark.slow
def test_one_or_three_actors_make_the_same_bytes(tiny_data, tmp_path, run_sweep):
    data = tiny_data | {"seeds": 12}
    run_sweep(data, tmp_path / "one")
    outcome = run_sweep(data | {"run": tiny_data["run"] | {"actors": 3}}, tmp_path / "three")
    assert len(outcome.places) == 3
    assert pictures(tmp_path / "one") == pictures(tmp_path / "three")


@pytest.mark.slow
def test_the_batch_size_hardly_shows(tiny_data, tmp_path, run_sweep):
    data = tiny_data | {"seeds": 8}
    found = {}
    for size in (1, 16):
        run_sweep(data | {"run": tiny_data["run"] | {"batch_size": size}}, tmp_path / str(size))
        found[size] = {
            image_id: np.asarray(Image.open(io.BytesIO(png)), dtype=int)
            for image_id, png in pictures(tmp_path / str(size)).items()
        }
    assert found[1].keys() == found[16].keys()
    differences = np.stack([np.abs(found[1][image_id] - found[16][image_id]) for image_id in found[1]])
    assert differences.max() <= 2
    assert (differences > 0).mean() < 0.001


def test_a_limit_makes_only_so_many(tiny_data, tmp_path, run_sweep):
    assert run_sweep(tiny_data, tmp_path, limit=6).made == 6
    assert ask(tmp_path, "select distinct setting from images order by 1") == [("fair",), ("none",)]
    assert run_sweep(tiny_data, tmp_path).made == 10
    assert_exactly_once(tmp_path, 16)


def test_a_truncated_shard_is_made_again(tiny_data, root, run_sweep):
    before = pictures(root)
    shard = next(root.glob("images/*/*/*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-30])
    outcome = run_sweep(tiny_data, root)
    assert outcome.made == 4
    assert shard.with_name(shard.name + ".damaged").exists()
    assert_exactly_once(root, 16)
    assert pictures(root) == before


def test_a_prompt_that_makes_the_pipeline_raise_stops_nothing_else(tiny_data, tmp_path, run_sweep):
    data = tiny_data | {"guidance": [{"method": "none"}, {"name": "poisoned", "method": "pixels:Poisoned"}]}
    outcome = run_sweep(data, tmp_path)
    assert (outcome.made, outcome.failed_images, outcome.complete) == (12, 4, False)
    failed = ask(tmp_path, "select setting, prompt, error from images where error is not null")
    assert len(failed) == 4
    assert all(setting == "poisoned" and "nurse" in prompt for setting, prompt, _ in failed)
    assert len(outcome.failed) == 4
    assert ": " in outcome.failed[0][1]
    assert run_sweep(data, tmp_path).failed_images == 4


def test_too_many_failures_in_a_row_stop_the_sweep(tiny_data, tmp_path, run_sweep):
    data = tiny_data | {"guidance": [{"name": "poisoned", "method": "pixels:Poisoned"}], "seeds": 40}
    data["prompts"] = ["nurse one", "nurse two"]
    data["run"] = tiny_data["run"] | {"max_consecutive_failures": 8}
    outcome = run_sweep(data, tmp_path)
    assert outcome.stopped.startswith("stopped after 8 failed images in a row; the first: ")
    assert outcome.failed_images < 80


def test_a_model_or_a_classifier_that_cannot_be_loaded_costs_only_its_own(tiny_data, tmp_path, run_sweep):
    data = copy.deepcopy(tiny_data)
    data["models"].insert(0, {"name": "gone", "source": str(tmp_path / "nowhere" / "model")})
    data["classifiers"].append({"name": "refusing", "kind": "pixels:Refusing"})
    outcome = run_sweep(data, tmp_path)
    assert (outcome.made, outcome.failed_images, outcome.labelled, outcome.failed_labels) == (16, 16, 16, 16)
    assert "does not exist" in outcome.refused_models["gone"]
    assert "fetch them first" in outcome.refused_classifiers["refusing"]
    failed = ask(tmp_path, "select model, count(*), min(error) from images where error is not null group by 1")
    assert failed == [("gone", 16, outcome.refused_models["gone"])]
    assert ask(tmp_path, "select count(*) from labels") == [(32,)]


def test_an_image_that_a_classifier_cannot_read_is_recorded(tiny_data, tmp_path, run_sweep):
    data = tiny_data | {"classifiers": [{"name": "choosy", "kind": "pixels:Choosy"}]}
    outcome = run_sweep(data, tmp_path)
    [(fine, failed)] = ask(
        tmp_path,
        "select count(distinct image_id) filter (where error is null), "
        "count(distinct image_id) filter (where error is not null) from labels",
    )
    assert (fine + failed, failed) == (16, outcome.failed_labels)
    assert 0 < failed < 16
    assert ask(tmp_path, "select distinct label, error from labels where error is not null") == [
        ("failed", "ValueError: this image cannot be read")
    ]


def test_a_classifier_of_the_same_name_with_other_settings_is_refused(tiny_data, root, run_sweep):
    from fairsweep.errors import StoreError

    changed = [{"name": "pixels", "kind": "pixels:Pixels", "unknown_margin": 0.5}]
    with pytest.raises(StoreError, match="were made with other settings: give it another name"):
        run_sweep(tiny_data | {"classifiers": changed}, root)


def test_out_of_memory_halves_the_batch(tiny_data):
    from pixels import out_of_memory_beyond

    from fairsweep.engine.generate import Generator
    from fairsweep.plan.todo import Batch
    from fairsweep.spec import SweepSpec

    generator = Generator(SweepSpec.model_validate(tiny_data), "cpu")
    generator.load("tiny")
    # Classifier-free guidance makes two rows of each image: at most two images fit.
    generator._pipeline.pipe.unet.register_forward_pre_hook(out_of_memory_beyond(rows=4))
    row = {"setting": "none", "prompt": "a nurse", "direction": {}, "scales": None}
    batch = Batch("tiny", tuple(row | {"seed": seed} for seed in range(8)))
    images, _, sizes = generator.make(batch)
    assert sizes == (2,) * 8
    assert all(isinstance(image, Image.Image) for image in images)
    assert generator._halving["tiny"].limit == 2

"""Cards, loaders, rows and classifiers that go wrong, on real Ray with simulated cards: what a fault costs."""

import json
import os
import shutil
from collections import Counter

import pytest

from fairsweep.engine.device import Cuda, DeviceError
from fairsweep.engine.queues import Queues
from support.checks import ask, assert_exactly_once
from support.clusters import start_cluster


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    """Return the address of a cluster with two simulated cards, and the folder that says what goes wrong on them."""
    folder = tmp_path_factory.mktemp("faults")
    os.environ |= {"FAIRSWEEP_DEVICE": "faulty:Card", "FAULTS_FOLDER": str(folder)}
    cluster = start_cluster({"num_cpus": 4, "num_gpus": 2})
    del os.environ["FAIRSWEEP_DEVICE"], os.environ["FAULTS_FOLDER"]
    yield cluster.address, folder
    cluster.shutdown()


@pytest.fixture
def run(cards, run_sweep, tiny_data, tmp_path):
    """Return a function that runs a small sweep on the two cards with these faults; more data replaces the spec's."""
    address, folder = cards

    def run(*faults: dict, **more):
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "faults.json").write_text(json.dumps(faults))
        data = tiny_data | {"run": {"batch_size": 2, "cpus_per_actor": 1}} | more
        return run_sweep(data, tmp_path, address=address)

    return run


def one_loss(outcome, *words: str) -> str:
    assert len(outcome.losses) == 1, outcome.losses
    loss = outcome.losses[0]
    assert all(word in loss for word in words), loss
    return loss


def test_gpu_ids_without_usable_cuda_are_no_cpu():
    with pytest.raises(DeviceError, match=r"^no usable CUDA: torch \S+ is built \w+ CUDA.*, .*driver.*: .+"):
        Cuda().open()


def test_a_card_that_cannot_be_used_is_left_alone(run, tmp_path):
    outcome = run({"fault": "no_cuda", "times": 1})
    assert outcome.complete
    assert_exactly_once(tmp_path, 16)
    one_loss(outcome, "unusable, gpu ", ", node ", "no usable CUDA: simulated")
    [(device,)] = ask(tmp_path, "select distinct device from images")
    assert device.startswith("simulated card, gpu ")


@pytest.mark.slow
def test_actors_on_one_card_take_their_share_of_its_memory(run, tmp_path):
    assert run(seeds=1, run={"batch_size": 2, "cpus_per_actor": 1, "gpus_per_actor": 0.5}).complete
    query = 'select distinct joules, versions like \'%"share": "0.5"%\' from images'
    assert ask(tmp_path, query) == [(None, True)]
    assert ask(tmp_path, "select distinct energy from cost") == [("known of 0 of 2 images: the card is shared",)]


@pytest.mark.slow
def test_label_actors_beside_generators_label_every_image(run, tmp_path):
    shares = {"gpus_per_actor": 0.5, "classifier_gpus": 0.5}
    outcome = run(seeds=2, run={"batch_size": 2, "cpus_per_actor": 1, **shares})
    assert outcome.complete and "labels" not in outcome.seconds
    assert_exactly_once(tmp_path, 8)


@pytest.mark.slow
def test_a_bad_card_takes_no_place_of_the_only_batch(run, tmp_path):
    """Its two images share the twelve joules that the other card's meter went up by."""
    prompts = ["a nurse", "a doctor"]
    outcome = run({"fault": "no_cuda", "times": 1}, prompts=prompts, guidance=[{"method": "none"}], seeds=[1])
    assert outcome.complete
    assert_exactly_once(tmp_path, 2)
    query = 'select distinct joules, versions like \'%"share": "1.0"%\' from images'
    assert ask(tmp_path, query) == [(6.0, True)]
    assert ask(tmp_path, "select joules, energy from cost") == [(12.0, "measured")]


@pytest.mark.slow
def test_one_place_that_cannot_load_costs_the_model_nothing(run, tmp_path):
    outcome = run({"fault": "load", "times": 1})
    assert outcome.complete
    assert_exactly_once(tmp_path, 16)
    loss = one_loss(outcome, "simulated card, gpu ", "OutOfMemoryError: CUDA out of memory. Simulated")
    [log] = (tmp_path / "log").iterdir()
    assert str(log) in loss
    assert "in loading" in log.read_text()


@pytest.mark.slow
def test_what_no_place_can_load_is_refused_with_the_places_reason(run, tmp_path):
    outcome = run({"fault": "load"})
    assert (outcome.made, outcome.failed_images) == (0, 16)
    assert "CUDA out of memory. Simulated" in outcome.refused_models["tiny"]
    assert "gpu" in outcome.refused_models["tiny"]


@pytest.mark.slow
def test_an_actor_leaves_its_process_when_its_device_is_dead(run, tmp_path):
    outcome = run({"fault": "sticky", "times": 1})
    assert outcome.complete
    assert_exactly_once(tmp_path, 16)
    one_loss(outcome, "simulated card, gpu ", "the CUDA context is dead")


@pytest.mark.slow
def test_a_card_on_which_all_fails_though_it_says_that_it_is_well_costs_no_image(run, tmp_path):
    outcome = run({"fault": "kernels", "gpu": "0"}, {"fault": "slow", "seconds": 2, "gpu": "1"})
    assert (outcome.complete, outcome.failed_images, outcome.made) == (True, 0, 16)
    assert_exactly_once(tmp_path, 16)
    assert ask(tmp_path, "select count(*) from images where error is not null") == [(0,)]
    assert all("gpu 0" in loss for loss in outcome.losses), outcome.losses
    assert "CUDNN_STATUS_NOT_INITIALIZED" in outcome.losses[0]


def test_a_row_that_ends_its_process_costs_only_itself(run, tmp_path):
    prompts = ["a nurse", "a doctor", "a poisonous teacher"]
    outcome = run({"fault": "poison", "text": "poisonous"}, prompts=prompts, guidance=[{"method": "none"}], seeds=[1])
    assert (outcome.made, outcome.failed_images, outcome.labelled) == (2, 1, 2)
    [(prompt, error)] = ask(tmp_path, "select prompt, error from images where error is not null")
    assert prompt == "a poisonous teacher"
    assert "it ends the process that works on it" in error and "simulated card, gpu" in error
    assert all("its process ended" in loss for loss in outcome.losses)


@pytest.mark.slow
def test_an_image_that_is_stored_before_its_process_ends_is_made_once(run, tmp_path):
    prompts = ["a nurse", "a fatal teacher"]
    outcome = run({"fault": "written", "text": "fatal"}, prompts=prompts, guidance=[{"method": "none"}], seeds=[1])
    assert (outcome.made, outcome.failed_images, outcome.complete) == (2, 0, True)
    assert_exactly_once(tmp_path, 2)


@pytest.mark.slow
def test_a_classifier_that_ends_its_process_costs_its_own_labels(run, tmp_path):
    classifiers = [{"name": "fine", "kind": "pixels:Pixels"}, {"name": "ending", "kind": "ending:EndsOnLoad"}]
    outcome = run(classifiers=classifiers, seeds=1)
    assert (outcome.made, outcome.labelled, outcome.failed_labels) == (4, 4, 4)
    assert "while it loaded classifier ending" in outcome.refused_classifiers["ending"]


@pytest.mark.slow
def test_an_image_that_ends_a_classifiers_process_is_made(run, tmp_path):
    classifiers = [{"name": "ending", "kind": "ending:EndsOnNurses"}]
    prompts = ["a nurse", "a doctor"]
    outcome = run(classifiers=classifiers, prompts=prompts, guidance=[{"method": "none"}], seeds=[1])
    assert (outcome.made, outcome.labelled, outcome.failed_labels) == (2, 1, 1)
    [(prompt, label)] = ask(
        tmp_path,
        "select distinct prompt, label from labels join images using (image_id) where labels.error is not null",
    )
    assert (prompt, label) == ("a nurse", "failed")


@pytest.mark.slow
def test_a_classifier_without_memory_is_asked_of_several_places(run, tmp_path):
    outcome = run(classifiers=[{"name": "large", "kind": "ending:OutOfMemory"}], seeds=1)
    assert (outcome.made, outcome.failed_labels) == (4, 4)
    assert "MemoryError" in outcome.refused_classifiers["large"]


@pytest.mark.slow
def test_a_classifier_whose_files_are_missing_at_one_place_labels_every_image(run, tmp_path):
    outcome = run(classifiers=[{"name": "reader", "kind": "ending:MissingOnce"}], seeds=1)
    assert (outcome.complete, outcome.labelled, outcome.failed_labels) == (True, 4, 0)
    assert not outcome.refused_classifiers


@pytest.mark.slow
def test_a_batch_that_never_ends_goes_to_an_idle_actor(run, tmp_path):
    outcome = run({"fault": "slow", "times": 1, "seconds": 3600})
    assert outcome.complete
    assert_exactly_once(tmp_path, 16)


class Piece:
    def __init__(self, key: str):
        self.key = key


def loads(actors: int, models: int, batches: int) -> int:
    """Return how often a model is loaded when actors take turns at the queues of several models."""
    keys = [f"model {number}" for number in range(models)]
    queues = Queues({key: (Piece(key) for _ in range(batches)) for key in keys})
    loaded: list[str | None] = [None] * actors
    count = 0
    while queues.total(1):
        for actor in range(actors):
            key = queues.choose(loaded[actor], Counter(loaded), lambda key: True, actors + 1)
            if key is None:
                continue
            count += key != loaded[actor]
            loaded[actor] = key
            queues.next(key)
    return count


def test_an_actor_stays_on_its_model_while_others_can_take_the_rest():
    assert loads(actors=16, models=8, batches=40) == 16
    assert loads(actors=4, models=8, batches=40) == 8
    assert loads(actors=1, models=3, batches=5) == 3
    assert loads(actors=16, models=1, batches=40) == 16

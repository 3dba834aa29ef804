"""The shipped models: they load offline, repeat themselves, and their cards' figures hold on a small sample."""

import json
import socket

import numpy as np
import pytest

from fairsweep.portraits.cards import write_cards
from fairsweep.portraits.defaults import CLIP, FIGURES, PIPELINE, WEIGHTS, prompt
from fairsweep.portraits.evaluate import evaluate_guidance, evaluate_named_groups, evaluate_reader, evaluate_shares
from fairsweep.portraits.reader import Reader
from fairsweep.portraits.studio import Studio
from fairsweep.portraits.world import bias_table


@pytest.fixture(scope="module")
def studio():
    return Studio()


@pytest.fixture(scope="module")
def reader():
    return Reader()


@pytest.fixture(scope="module")
def card():
    return json.loads(FIGURES.read_text(encoding="utf-8"))


def test_the_models_load_without_a_request_and_repeat_their_images(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"a request leaves the machine: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    first, second = (Studio(workers=1).draw([prompt("firefighter")] * 2, [3, 4], 2.0) for _ in range(2))
    assert [image.tobytes() for image in first] == [image.tobytes() for image in second]
    assert first[0].tobytes() != first[1].tobytes()
    assert first[0].size == (64, 64)
    assert Reader().labels(first)["occupation"].tolist() == ["firefighter"] * 2


def test_the_weights_are_small_and_safe():
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 15_000_000
    assert not [path for path in files if path.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt"}]
    assert (PIPELINE / "model_index.json").is_file()
    assert (CLIP / "open_clip_config.json").is_file()


def test_open_clip_loads_the_folder():
    import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{CLIP}")
    assert preprocess.transforms[0].size == (64, 64)
    assert model.visual.image_size in (64, (64, 64))


def test_every_attribute_is_visible_to_the_classifier(reader, card):
    n = 600
    accuracy = evaluate_reader(reader, n, seed=424_242)["heads"]
    for name, share in card["reader"]["heads"].items():
        # Four standard errors of a share over n portraits, and one portrait.
        assert accuracy[name] >= share - 4 * np.sqrt(share * (1 - share) / n) - 1 / n, name


def test_the_shares_of_the_card_are_drawn_again(studio, reader, card):
    seeds = 8
    shown = card["shares"][0]
    again = evaluate_shares(studio, reader, 1.0, seeds)
    jobs = list(bias_table())
    expected = np.mean([shown["occupations"][job]["gender"]["female"]["share"] for job in jobs])
    drawn = np.mean([again["occupations"][job]["gender"]["female"]["share"] for job in jobs])
    # Four standard errors of a share over all images drawn.
    assert abs(drawn - expected) <= 4 * np.sqrt(0.25 / (seeds * len(jobs)))
    assert again["recognised"]["mean"] >= shown["recognised"]["mean"] - 0.05


@pytest.mark.slow
def test_named_groups_are_obeyed_as_the_card_says(studio, reader, card):
    figures = evaluate_named_groups(studio, reader, 2)
    for name, entry in card["named_groups"].items():
        images = 2 * len(entry["pairs"])
        margin = 4 * np.sqrt(entry["obeyed"] * (1 - entry["obeyed"]) / images) + 2 / images
        assert figures[name]["obeyed"] >= entry["obeyed"] - margin, name


def test_semantic_guidance_balances_as_the_card_says(studio, reader, card):
    jobs = ("firefighter", "nurse")
    figures = evaluate_guidance(studio, reader, 16, jobs=jobs)
    followed = card["guidance"]["followed"]
    assert figures["followed"] >= followed - 4 * np.sqrt(followed * (1 - followed) / 32) - 1 / 32
    assert figures["largest_error"] <= 0.25


def test_the_shipped_cards_are_made_from_the_shipped_figures(card, tmp_path):
    for path in write_cards(card, tmp_path):
        assert path.read_text(encoding="utf-8") == (WEIGHTS / path.relative_to(tmp_path)).read_text(encoding="utf-8")

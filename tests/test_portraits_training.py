"""Training the built-in models: a short real run lowers its losses, and stops and resumes to the same weights."""

import numpy as np
import pytest
import torch

from fairsweep.portraits.networks import text_encoder
from fairsweep.portraits.tokenizer import CONTEXT_LENGTH, build_tokenizer, tokenize
from fairsweep.portraits.training.clip import ClipStage
from fairsweep.portraits.training.corpus import Corpus
from fairsweep.portraits.training.loop import train
from fairsweep.portraits.training.order import Order
from fairsweep.portraits.training.unet import UnetStage
from fairsweep.portraits.training.vae import VaeStage

CPU = torch.device("cpu")
# Steps of the short run: the two that are slow learn fast at first.
STEPS = {"unet": 16, "vae": 4, "clip": 4}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return Corpus.open(tmp_path_factory.mktemp("corpus"), 200, 1)


def _stage(name, corpus):
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    if name == "vae":
        return VaeStage(corpus, CPU)
    if name == "clip":
        return ClipStage(corpus, tokenizer, corpus.images[:20], CPU)
    text = text_encoder(ClipStage(corpus, tokenizer, corpus.images[:0], CPU).module["clip"], 0, 1)
    latents = torch.from_numpy(np.random.default_rng(0).normal(size=(len(corpus), 8, 8, 8)).astype("float32"))
    return UnetStage(corpus, latents, text, tokenizer)


def _loss(stage, module):
    """Return the loss of the module on one fixed batch, of the size that it is trained on or 64."""
    stage.module.load_state_dict(module.state_dict())
    stage.module.train()
    with torch.no_grad():
        parts = stage.loss(
            np.arange(min(64, stage.batch_size)), np.random.default_rng(7), torch.Generator().manual_seed(7)
        )
    return sum(value.item() for value in parts.values())


@pytest.mark.parametrize(
    "name", ["unet", pytest.param("vae", marks=pytest.mark.slow), pytest.param("clip", marks=pytest.mark.slow)]
)
def test_training_lowers_its_loss_and_resumes_to_the_same_weights(name, corpus, tmp_path):
    stage, steps = _stage(name, corpus), STEPS[name]
    before = _loss(_stage(name, corpus), stage.module)
    train(stage, tmp_path / "straight", steps)
    assert _loss(_stage(name, corpus), stage.module) < before

    train(_stage(name, corpus), tmp_path / "halves", steps, stop_at=steps // 2)
    resumed = _stage(name, corpus)
    train(resumed, tmp_path / "halves", steps)
    for key, value in stage.module.state_dict().items():
        assert torch.equal(value, resumed.module.state_dict()[key]), key


def test_an_epoch_deals_every_row_once_and_each_stratum_evenly():
    strata = np.repeat([5, 6, 7], [100, 300, 50])
    order = Order(strata, seed=3)
    steps = [order.rows(step, 45) for step in range(15)]
    for epoch in (steps[:10], steps[10:] + [order.rows(step, 45) for step in range(15, 20)]):
        assert sorted(np.concatenate(epoch)) == list(range(450))
    for rows in steps:
        # A tenth of an epoch holds a tenth of each stratum, or one row more or less.
        assert np.abs(np.bincount(strata[rows], minlength=8)[5:] - [10, 30, 5]).max() <= 1
    assert np.array_equal(order.rows(12, 45), Order(strata, seed=3).rows(12, 45))
    assert not np.array_equal(order.rows(0, 45), Order(strata, seed=4).rows(0, 45))
    # A batch may reach over the ends of several epochs.
    four = Order(np.zeros(4, int), 0)
    assert np.array_equal(four.rows(0, 10), np.concatenate([four.rows(step, 2) for step in range(5)]))


def test_rows_alike_in_caption_and_attributes_are_one_stratum(corpus):
    def key(row):
        person, named = corpus.pairs[row]
        return named, person.occupation, person.gender, person.skin_tone, person.age

    for stratum in set(corpus.strata):
        assert len({key(row) for row in np.flatnonzero(corpus.strata == stratum)}) == 1
    assert len(set(corpus.strata)) == len({key(row) for row in range(len(corpus))})


def test_every_word_of_a_caption_is_one_token(corpus):
    tokenizer = build_tokenizer()
    captions = corpus.descriptions(np.arange(100), np.random.default_rng(0))
    for caption in captions:
        words = len(tokenizer.tokenize(caption))
        assert words == len(caption.replace(",", " ,").replace("-", " - ").split()), caption
        assert words + 2 <= CONTEXT_LENGTH


def test_the_pipeline_reads_text_as_clip_does(corpus):
    tokenizer = build_tokenizer()
    clip = ClipStage(corpus, tokenizer, corpus.images[:0], CPU).module["clip"].eval()
    encoder = text_encoder(clip, tokenizer.bos_token_id, tokenizer.eos_token_id)
    ids = tokenize(tokenizer, ["a photo of the face of a firefighter", "", "an old nurse with glasses"])
    with torch.no_grad():
        pooled = encoder(ids).pooler_output @ clip.text_projection
        torch.testing.assert_close(pooled, clip.encode_text(ids), rtol=0, atol=1e-5)


def test_captions_that_are_silent_about_gender_keep_the_planted_share():
    from fairsweep.portraits.training.corpus import draw_pairs
    from fairsweep.portraits.world import bias_table

    silent = [p for p, named in draw_pairs(20_000, 5) if "gender" not in named and p.occupation == "firefighter"]
    share = np.mean([person.gender == "female" for person in silent])
    planted = bias_table()["firefighter"]["gender"]["female"]
    # Four standard errors of a share over about 900 persons.
    assert abs(share - planted) < 4 * np.sqrt(planted * (1 - planted) / len(silent))

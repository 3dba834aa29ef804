"""Each class that sweeps know, loaded from a folder as an actor does: docs/models.md lists what is shown here."""

import numpy as np
import pytest
import torch

from fairsweep.errors import FairsweepError
from fairsweep.families import REFUSED
from fairsweep.guidance import Conditioning, toward
from support import zoo
from support.tiny import relative
from support.zoo_sweeps import EDITS, NAMES, PROMPTS, SEEDS, latents, load_from

# What a call by hand says of guidance, and what sweeps leave off; HunyuanImage's scale is its guider's.
WAYS = {
    "QwenImagePipeline": {"true_cfg_scale": 4.0, "negative_prompt": ""},
    "SanaSprintPipeline": {"guidance_scale": 4.0, "intermediate_timesteps": None},
    "ErnieImagePipeline": {"guidance_scale": 4.0, "use_pe": False},
    "LongCatImagePipeline": {"guidance_scale": 4.0, "enable_prompt_rewrite": False},
    "HunyuanImagePipeline": {},
}


@pytest.fixture(scope="module", params=NAMES)
def loaded(request, tmp_path_factory):
    """The class's name, and its pipeline loaded from a folder of real files."""
    folder = tmp_path_factory.mktemp(request.param)
    zoo.build(request.param).save_pretrained(folder)
    return request.param, load_from(folder, request.param, "cpu")


def test_an_image_is_what_it_is_alone(loaded):
    """Whatever stands beside it: prompts of other lengths, other edits; edits act, and leave the others alone."""
    name, pipeline = loaded
    if name in REFUSED:
        with pytest.raises(FairsweepError, match=f"{name} .*: it cannot be guided"):
            latents(pipeline, range(4))
    edits = [None] * 4 if name in REFUSED else EDITS
    together, unguided = latents(pipeline, range(4), edits), latents(pipeline, range(4), [None] * 4)
    for place in range(4):
        assert relative(together[place], latents(pipeline, [place], edits)[0]) < 3e-5
        assert torch.equal(together[place], unguided[place]) == (edits[place] is None)


def test_unguided_is_the_stock_pipeline(loaded):
    """Called by hand for one image, pictures and all: within two levels of 255."""
    name, pipeline = loaded
    made = pipeline.generate([Conditioning(PROMPTS[0])], SEEDS[:1])[0]
    way = WAYS.get(name, {"guidance_scale": 4.0})
    binning = {"use_resolution_binning": False} if "use_resolution_binning" in zoo.ZOO[name][1] else {}
    size = {key: zoo.ZOO[name][1][key] for key in ("width", "height")}
    generator = torch.Generator().manual_seed(SEEDS[0])
    stock = pipeline.pipe(
        prompt=PROMPTS[0], num_inference_steps=4, generator=generator, **size, **way, **binning
    ).images[0]
    assert made.size == stock.size == (size["width"], size["height"])
    assert abs(np.asarray(made, int) - np.asarray(stock, int)).max() <= 2


@pytest.mark.parametrize("loaded", ["HunyuanImagePipeline", "LongCatImagePipeline"], indirect=True)
def test_quoted_words_beside_plain_ones(loaded):
    """What a prompt quotes is encoded letter by letter, and HunyuanImage guides a call with one quotation otherwise."""
    name, pipeline = loaded
    edits = [None, toward('a person with "gender"', scale=20.0, threshold=0.0, warmup_steps=0.25), None, EDITS[1]]
    prompts = ['a photo of a "nurse"', 'a photo of a "nurse"', "a photo of a nurse", "a photo of a nurse"]

    def drawn(places):
        asked = [Conditioning(prompts[place], edit=edits[place]) for place in places]
        return pipeline.denoise(asked, [SEEDS[0]] * len(places))

    together = drawn(range(4))
    for place in range(4):
        assert relative(together[place], drawn([place])[0]) < 3e-5
    assert min(relative(together[i], together[j]) for i in range(4) for j in range(i)) > 1e-4
    way = WAYS.get(name, {"guidance_scale": 4.0}) | {"width": 32, "height": 32, "output_type": "latent"}
    generator = torch.Generator().manual_seed(SEEDS[0])
    stock = pipeline.pipe(prompt=prompts[0], num_inference_steps=4, generator=generator, **way).images
    assert relative(together[:1], stock) < 3e-5


def test_a_negative_prompt_acts_or_is_refused(loaded):
    name, pipeline = loaded
    asked = [Conditioning(PROMPTS[0], "old person")]
    if name in ("LatentConsistencyModelPipeline", "SanaSprintPipeline", "Flux2Pipeline"):
        with pytest.raises(FairsweepError, match="takes no negative prompt"):
            pipeline.denoise(asked, SEEDS[:1])
    else:
        assert relative(pipeline.denoise(asked, SEEDS[:1])[0], latents(pipeline, [0])[0]) > 1e-5

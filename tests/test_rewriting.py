"""Prompt rewriters that pipelines have: off unless the model says so, and then the text that was drawn is stored."""

import pytest
import torch

from fairsweep.engine.generate import Generator
from fairsweep.errors import ModelLoadError, SpecError
from fairsweep.guidance import Conditioning
from fairsweep.pipelines import load
from fairsweep.pipelines.names import check_names
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.plan.todo import Batch
from fairsweep.spec import ModelSpec, SweepSpec
from support import zoo
from support.specs import small_sweep

PROMPT = "a photo of a nurse"
SIZE = {"width": 32, "height": 32}
# What a class calls its rewriter in its own call.
SWITCHES = {"ErnieImagePipeline": "use_pe", "LongCatImagePipeline": "enable_prompt_rewrite"}


@pytest.fixture(scope="module", params=SWITCHES)
def named(request):
    return request.param, zoo.build(request.param)


def pipeline(pipe, **model):
    return Pipeline(pipe, ModelSpec(name="m", source="a/b", steps=2, guidance_scale=4.0, **SIZE, **model))


def test_it_is_off_in_sweeps(named):
    name, pipe = named
    writer = pipe.pe if name == "ErnieImagePipeline" else pipe.text_encoder
    generate, asked = writer.generate, []
    writer.generate = lambda *args, **kwargs: asked.append(kwargs) or generate(*args, **kwargs)
    try:
        assert pipeline(pipe).worded(PROMPT) == PROMPT
        pipeline(pipe).denoise([Conditioning(PROMPT)], [1])
        assert not asked
        pipe(PROMPT, num_inference_steps=1, output_type="latent", **SIZE)
        assert asked, "the stock call rewrites"
    finally:
        del writer.generate


def test_what_it_writes_is_drawn(named):
    """One text for each prompt, whatever ran before, and the pictures are those of that text."""
    name, pipe = named
    rewriting, before = pipeline(pipe, rewrite=True), torch.random.get_rng_state()
    text = rewriting.worded(PROMPT)
    assert text != PROMPT
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    assert pipeline(pipe, rewrite=True).worded(PROMPT) == text
    drawn = rewriting.denoise([Conditioning(PROMPT)], [1])
    assert torch.equal(drawn, pipeline(pipe).denoise([Conditioning(text)], [1]))
    generator = torch.Generator().manual_seed(1)
    call = {"num_inference_steps": 2, "guidance_scale": 4.0, "output_type": "latent", SWITCHES[name]: False, **SIZE}
    by_hand = pipe(text, generator=generator, **call).images
    assert (drawn - by_hand).abs().max() < 1e-5 * by_hand.abs().max()


def test_it_stands_with_the_image(tmp_path):
    zoo.build("ErnieImagePipeline").save_pretrained(tmp_path)
    data = small_sweep(tmp_path)
    data["models"][0] |= {"rewrite": True, **SIZE}
    spec = SweepSpec.model_validate(data)
    assert spec.model_dump(mode="json")["models"][0]["rewrite"] is True
    generator = Generator(spec, "cpu")
    generator.load("tiny")
    row = {"image_id": "i", "setting": "none", "prompt": PROMPT, "direction": {}, "scales": None, "seed": 1}
    images, prompts, _ = generator.make(Batch("tiny", (row,), label=False))
    assert images[0].size == (32, 32)
    assert prompts[0] not in ("", PROMPT)


def test_what_has_none_is_refused(tiny_model):
    model = ModelSpec(name="m", source="a/b", pipeline="SanaPipeline", rewrite=True)
    with pytest.raises(SpecError, match="model m: SanaPipeline rewrites no prompts: leave rewrite out"):
        check_names([model])
    with pytest.raises(ModelLoadError, match="model m: StableDiffusionPipeline rewrites no prompts"):
        load(ModelSpec(name="m", source=str(tiny_model), rewrite=True), "cpu")
    assert "rewrite" not in ModelSpec(name="m", source="a/b").model_dump()

"""Image to image in sweeps: the stock pipelines' pictures, guided and unguided, alone and in a batch; resumed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForImage2Image, DiffusionPipeline
from PIL import Image, ImageOps

from fairsweep.errors import ModelLoadError
from fairsweep.guidance import Conditioning, fair_guidance, toward
from fairsweep.pipelines import load
from fairsweep.spec import ModelSpec
from support import plain_sega, tiny
from support.checks import ask
from support.editors import kontext, noise, pix2pix, pix2pix_xl, undistilled
from support.specs import small_sweep

STRONG = {"scale": 20.0, "threshold": 0.5, "warmup_steps": 1}
PROMPTS = ["a photo of a nurse", "a firefighter", "a photo of a nurse"]
EDITS = [None, toward("female person", "male person", **STRONG), toward("dark person", "light person", **STRONG)]
SEEDS = [3, 4, 5]
BUILD = {
    "stable-diffusion": tiny.build_sd,
    "stable-diffusion-xl": tiny.build_sdxl,
    "stable-diffusion-3": tiny.build_sd3,
    "flux": undistilled,
}


def pixels(images) -> np.ndarray:
    return np.stack([np.asarray(image, dtype=int) for image in images])


@pytest.mark.parametrize("family", BUILD)
def test_editing_is_the_stock_image_to_image_pipeline(family, tmp_path):
    """Of a text-to-image folder: guided or not its latents are as by hand, as alone, and by their own source."""
    BUILD[family]().save_pretrained(tmp_path)
    model = ModelSpec(name="tiny", source=str(tmp_path), steps=6, guidance_scale=5.0, width=32, height=32, strength=0.7)
    pipeline = load(model, "cpu", edits=True)
    pictures = [noise(seed) for seed in (1, 2, 3)]
    stock = AutoPipelineForImage2Image.from_pipe(DiffusionPipeline.from_pretrained(tmp_path))
    stock.set_progress_bar_config(disable=True)
    call = {"true_cfg_scale": 5.0, "negative_prompt": [""] * 3} if family == "flux" else {"guidance_scale": 5.0}
    if family in ("flux", "stable-diffusion-3"):
        call |= {"width": 32, "height": 32}
    latents = []
    for edits in ([None] * 3, EDITS):
        conditionings = [Conditioning(p, edit=edit) for p, edit in zip(PROMPTS, edits, strict=True)]
        ours = pipeline.denoise(conditionings, SEEDS, pictures)
        with fair_guidance(stock, edits):
            generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
            call |= {"image": pictures, "strength": 0.7, "num_inference_steps": 6, "generator": generators}
            by_hand = stock(PROMPTS, output_type="latent", **call).images
        assert tiny.relative(ours, by_hand) < 1e-4
        for number, alone in enumerate(zip(conditionings, SEEDS, pictures, strict=True)):
            assert tiny.relative(pipeline.denoise(*([item] for item in alone))[0], ours[number]) < 1e-4
        with fair_guidance(stock, edits):
            call["generator"] = [torch.Generator().manual_seed(seed) for seed in SEEDS]
            decoded = stock(PROMPTS, **call).images
        assert abs(pixels(pipeline.decode(ours)) - pixels(decoded)).max() <= 1
        latents.append(ours)
    unguided, guided = latents
    assert tiny.relative(guided[0], unguided[0]) < 1e-4
    assert min(tiny.relative(guided[number], unguided[number]) for number in (1, 2)) > 0.01
    other = pipeline.denoise([Conditioning(prompt) for prompt in PROMPTS], SEEDS, [noise(9), *pictures[1:]])
    assert tiny.relative(other[0], unguided[0]) > 1e-3
    assert tiny.relative(other[1:], unguided[1:]) < 1e-4


@pytest.mark.parametrize(("build", "call"), [(kontext, {"max_area": 1024, "_auto_resize": False}), (pix2pix, {})])
def test_editing_by_instruction_is_the_stock_pipeline(build, call, tmp_path):
    """Its latents are as by hand, as alone, and by their own source."""
    build().save_pretrained(tmp_path)
    model = ModelSpec(name="tiny", source=str(tmp_path), steps=4, guidance_scale=5.0, width=32, height=32)
    pipeline = load(model, "cpu", edits=True)
    name, stock = type(pipeline.pipe).__name__, pipeline.pipe
    if name == "FluxKontextPipeline":
        call = call | {"width": 32, "height": 32}
    pictures = [noise(seed) for seed in (1, 2, 3)]

    def by_hand(edits, **more):
        generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
        with fair_guidance(stock, edits):
            return stock(
                prompt=PROMPTS,
                image=pictures,
                num_inference_steps=4,
                guidance_scale=5.0,
                generator=generators,
                **call,
                **more,
            ).images

    unguided = [Conditioning(prompt) for prompt in PROMPTS]
    for edits in ([None] * 3, EDITS):
        asked = [replace(each, edit=edit) for each, edit in zip(unguided, edits, strict=True)]
        ours = pipeline.denoise(asked, SEEDS, pictures)
        assert tiny.relative(ours, by_hand(edits, output_type="latent")) < 1e-4
        for number, alone in enumerate(zip(asked, SEEDS, pictures, strict=True)):
            assert tiny.relative(pipeline.denoise(*([item] for item in alone))[0], ours[number]) < 1e-4
    assert abs(pixels(pipeline.decode(ours)) - pixels(by_hand(edits))).max() <= 1
    plain = pipeline.denoise(unguided, SEEDS, pictures)
    assert [tiny.relative(a, b) > 0.01 for a, b in zip(ours, plain, strict=True)] == [bool(edit) for edit in edits]
    other = pipeline.denoise(unguided, SEEDS, [noise(9), *pictures[1:]])
    assert tiny.relative(other[0], plain[0]) > 3e-4
    assert tiny.relative(other[1:], plain[1:]) < 1e-5


@torch.no_grad()
def edited_by_hand(pipe, prompt, seed, picture, edit, scale, image_scale, negative=""):
    """Return one image's latents of InstructPix2Pix: one text, with or without the picture, one forward at a time."""
    shown = pipe.vae.encode(pipe.image_processor.preprocess(picture)).latent_dist.mode()
    pipe.scheduler.set_timesteps(4)
    latents = torch.randn(shown.shape, generator=torch.Generator().manual_seed(seed)) * pipe.scheduler.init_noise_sigma
    tokens = {text: pipe._encode_prompt(text, "cpu", 1, False) for text in (prompt, negative)}
    told = [pipe._encode_prompt(concept.text, "cpu", 1, False) for concept in edit.concepts]
    momentum = 0.0
    for step, t in enumerate(pipe.scheduler.timesteps):

        def predict(text, beside, latents=latents, t=t):
            return pipe.unet(torch.cat([latents, beside], 1), t, encoder_hidden_states=text).sample

        plain, unsaid = predict(tokens[prompt], shown), predict(tokens[negative], shown)
        blind = predict(tokens[negative], torch.zeros_like(shown))
        concepts = [predict(text, shown)[0] for text in told]
        added, momentum = plain_sega.sega(concepts, unsaid[0], edit, step, momentum)
        guided = blind + scale * (plain - unsaid) + image_scale * (unsaid - blind) + added
        if not scale:
            guided = plain + added
        latents = pipe.scheduler.step(guided, t, latents).prev_sample
    return latents


@pytest.mark.parametrize(("scale", "negative"), [(5.0, ""), (5.0, "an old person"), (0.0, "")])
def test_an_edit_by_text_and_picture_is_compared_with_the_picture_alone(scale, negative):
    """InstructPix2Pix's three branches, or one: latents equal a reference of single forwards."""
    pipe = pix2pix()
    pipe.set_progress_bar_config(disable=True)
    momentum = {"threshold": 0.0, "warmup_steps": 1, "momentum_scale": 0.5}
    for edit in (toward("female person", "male person", scale=6.0, **momentum), toward("old person", **momentum)):
        with fair_guidance(pipe, [edit, None]):
            latents = pipe(
                prompt=["a nurse", "a doctor"],
                image=[noise(1), noise(2)],
                negative_prompt=[negative] * 2,
                num_inference_steps=4,
                guidance_scale=scale,
                image_guidance_scale=1.7,
                generator=[torch.Generator().manual_seed(seed) for seed in (1, 2)],
                output_type="latent",
            ).images
        wanted = edited_by_hand(pipe, "a nurse", 1, noise(1), edit, scale, 1.7, negative)
        assert tiny.relative(latents[:1], wanted) < 1e-5


@pytest.mark.parametrize("build", [pix2pix, pix2pix_xl])
def test_three_branches_are_told_apart_by_what_they_share(build):
    """One step is the formula, for an empty prompt too, whose branches have one text; mixed edits are as alone."""
    pipe = build()
    pipe.set_progress_bar_config(disable=True)
    call = {"output_type": "latent"} | ({"width": 32, "height": 32} if build is pix2pix_xl else {})

    def drawn(prompts, edits, scale=4.0, steps=1, first=1):
        numbers = range(first, first + len(prompts))
        pictures = torch.stack([torch.tensor(pixels([noise(i)])[0] / 255).permute(2, 0, 1).float() for i in numbers])
        generators = [torch.Generator().manual_seed(number) for number in numbers]
        asked = {"num_inference_steps": steps, "guidance_scale": scale, "generator": generators}
        with fair_guidance(pipe, edits):
            return pipe(prompt=prompts, image=pictures, **asked, **call).images

    edit = toward("old person", scale=3.0, threshold=0.0, warmup_steps=0, momentum_scale=0.0)
    direction = drawn(["old person"], [None], 7.0) - drawn(["old person"], [None], 4.0)
    for prompt in ("a nurse", ""):
        assert tiny.relative(drawn([prompt], [edit]) - drawn([prompt], [None]), direction) < 2e-3
    together = drawn(["a nurse", "a doctor"], [edit, None], steps=3)
    assert tiny.relative(together[:1], drawn(["a nurse"], [edit], steps=3)) < 1e-5
    assert tiny.relative(together[1:], drawn(["a doctor"], [None], steps=3, first=2)) < 1e-5


def test_thresholds_are_quantiles_over_what_is_drawn():
    """In Kontext's one step: the edit is the concept's direction, cut at a quantile of the image's own latents."""
    pipe = kontext()
    pipe.set_progress_bar_config(disable=True)
    call = {"width": 32, "height": 32, "max_area": 1024, "_auto_resize": False, "output_type": "latent"}

    def drawn(prompt, edit=None):
        with fair_guidance(pipe, [edit]):
            generator = torch.Generator().manual_seed(1)
            latents = pipe(prompt=prompt, image=noise(1), num_inference_steps=1, generator=generator, **call).images
        return latents.unflatten(2, (-1, 4)).transpose(1, 2).flatten(2)[0]  # [channels, positions]

    edit = toward("old person", scale=3.0, threshold=0.61, warmup_steps=0, momentum_scale=0.0)
    direction = 3.0 * (drawn("old person") - drawn(""))
    size = direction.abs()
    wanted = torch.where(size >= torch.quantile(size, 0.61, dim=1, keepdim=True), direction, 0.0)
    change = drawn("a nurse", edit) - drawn("a nurse")
    assert tiny.relative(change, wanted) < 1e-3
    assert (wanted == 0).float().mean() > 0.5


@pytest.mark.parametrize("family", BUILD)
def test_steps_are_counted_as_the_pipeline_takes_them(family, tmp_path):
    """Some take a step that `strength` leaves a part of, others do not; fractions of steps are of those taken."""
    pipe = AutoPipelineForImage2Image.from_pipe(BUILD[family]())
    pipe.set_progress_bar_config(disable=True)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": type(pipe).__name__}))
    for strength in (0.29, 0.55, 0.7, 1.0):
        with fair_guidance(pipe, [None]) as guided, torch.inference_mode():
            call = {"num_inference_steps": 10, "guidance_scale": 1.0, "output_type": "latent"}
            call |= {"width": 32, "height": 32} if family in ("flux", "stable-diffusion-3") else {}
            pipe("a nurse", image=noise(1), strength=strength, **call)
        for named in ({"source": str(tmp_path)}, {"source": "a/b", "pipeline": type(pipe).__name__}):
            assert ModelSpec(name="m", steps=10, strength=strength, **named).steps_taken == guided.calls


def test_a_picture_of_another_size_is_scaled_and_cropped_at_its_middle(tiny_model):
    model = ModelSpec(name="tiny", source=str(tiny_model), steps=4, strength=0.5, width=32, height=32)
    pipeline = load(model, "cpu", edits=True)
    wide = noise(1, (80, 40))
    fitted = ImageOps.fit(wide, (32, 32), Image.Resampling.LANCZOS)
    conditionings = [Conditioning("a nurse")] * 2
    first, second = pixels(pipeline.generate(conditionings, [1, 1], [wide, fitted]))
    assert first.shape == (32, 32, 3)
    assert abs(first - second).max() <= 2


def test_less_strength_keeps_more_of_the_picture(tiny_model):
    distances = []
    for strength in (0.1, 0.5, 1.0):
        model = ModelSpec(name="tiny", source=str(tiny_model), steps=10, strength=strength)
        pipeline = load(model, "cpu", edits=True)
        latents = pipeline.denoise([Conditioning("a nurse")], [1], [noise(1)])
        begun = pipeline.pipe.vae.encode(pipeline.pipe.image_processor.preprocess(noise(1))).latent_dist.mean
        distances.append(float((latents - begun * pipeline.pipe.vae.config.scaling_factor).abs().mean().detach()))
    assert distances == sorted(distances)


def test_without_pictures_an_editing_pipeline_is_refused_as_before(tmp_path):
    AutoPipelineForImage2Image.from_pipe(tiny.build_sd()).save_pretrained(tmp_path)
    model = ModelSpec(name="tiny", source=str(tmp_path))
    with pytest.raises(ModelLoadError, match=r"starts from an image.*or source pictures under `images`"):
        load(model, "cpu")
    assert load(model, "cpu", edits=True).family == "stable-diffusion"


def test_a_sweep_edits_labels_and_resumes(tiny_model, run_sweep, tmp_path):
    """Each image once, each source picture labelled once; more seeds and pictures run only the difference."""
    data = small_sweep(tiny_model)
    data["models"][0] |= {"strength": 0.5, "steps": 4}
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        noise(seed).save(folder / f"{seed}.png")
    data |= {"images": str(folder), "seeds": 1}
    outcome = run_sweep(data, tmp_path / "store")
    assert (outcome.made, outcome.labelled, outcome.complete) == (12, 12 + 3, True)
    images = "select count(*), count(distinct image_id) from image_files where error is null"
    assert ask(tmp_path / "store", images) == [(12, 12)]
    # Two attributes, and the whole picture.
    labels = "select count(*), count(distinct (image_id, classifier, attribute)) from label_rows where error is null"
    assert ask(tmp_path / "store", labels) == [(15 * 3, 15 * 3)]
    again = run_sweep(data, tmp_path / "store")
    assert (again.made, again.there, again.labelled) == (0, 12, 0)
    noise(3).save(folder / "3.png")
    assert run_sweep(data, tmp_path / "store").made == 4
    assert run_sweep(data | {"seeds": 2}, tmp_path / "store").made == 16
    shown = "select count(*), count(distinct image_id) from labels where image_id in (select image_id from sources)"
    assert ask(tmp_path / "store", shown) == [(8, 4)]

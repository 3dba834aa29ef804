"""One batch of differently guided images: each as alone, no row too many, nothing left behind."""

from collections import Counter
from dataclasses import replace

import diffusers
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Edit, fair_guidance, toward
from fairsweep.guidance.schedule import Schedule
from fairsweep.guidance.sega import Momentum, directions, term
from support import tiny

STEPS = 8
SEEDS = [31, 32, 33, 34, 35]
PROMPTS = ["a photo of a nurse", "a firefighter", "a photo of the face of a doctor", "a teacher", "an old person"]
EDITS = [
    toward("female person", "male person", warmup_steps=2),
    None,
    toward("light person", "medium person", "dark person", scale=6.0, threshold=0.5, momentum_scale=0.0),
    Edit(
        (
            Concept("male person", scale=3.0, warmup_steps=0, cooldown_steps=4),
            Concept("old person", reverse=True, threshold=0.2, warmup_steps=3, weight=0.3),
        ),
        momentum_scale=0.2,
        momentum_beta=0.8,
    ),
    toward("old person", momentum_scale=0.0, warmup_steps=1),
]


def generators(which):
    return [torch.Generator().manual_seed(SEEDS[i]) for i in which]


def run(pipe, which, scale=5.0, **call):
    options = {"num_inference_steps": STEPS, "guidance_scale": scale, "output_type": "latent"}
    return pipe([PROMPTS[i] for i in which], **(options | {"generator": generators(which)} | call)).images


@pytest.fixture(scope="module")
def pipe():
    return tiny.build_sd()


@pytest.mark.parametrize("scale", [5.0, 1.0], ids=["with-cfg", "without"])
def test_each_image_of_a_mixed_batch_equals_the_image_alone(pipe, scale):
    """Within 1e-5 relative; the unguided image equals the stock pipeline's."""
    everyone = range(len(EDITS))
    with fair_guidance(pipe, EDITS):
        together = run(pipe, everyone, scale)
    stock = run(pipe, everyone, scale)
    for i in everyone:
        with fair_guidance(pipe, [EDITS[i]]):
            alone = run(pipe, [i], scale)[0]
        size = alone.abs().max()
        assert (together[i] - alone).abs().max() / size < 1e-5
        moved = (together[i] - stock[i]).abs().max() / size
        assert moved < 1e-5 if EDITS[i] is None else moved > 1e-4


def test_edits_stand_in_the_order_of_the_images(pipe):
    """Two images per prompt, four edits that differ: each image equals the one made alone."""
    edits = [edit for edit in EDITS if edit]
    with fair_guidance(pipe, edits):
        together = run(pipe, [0, 1], num_images_per_prompt=2, generator=generators(range(4)))
    for i, edit in enumerate(edits):
        with fair_guidance(pipe, [edit]):
            alone = run(pipe, [i // 2], generator=generators([i]))[0]
        assert (together[i] - alone).abs().max() / alone.abs().max() < 1e-5


def test_rows_run_only_where_they_matter(pipe):
    """Rows per call: two per image and step, and one per concept between warm-up and cool-down."""
    pair = toward("female person", "male person", warmup_steps=3, cooldown_steps=6, momentum_scale=0.0)
    with_momentum = toward("female person", "male person", warmup_steps=3, cooldown_steps=6)
    for edits, concept_rows in (
        ([pair, None], 2 * (6 - 3)),
        ([pair, with_momentum], 2 * (6 - 3) + 2 * 6),
        ([toward("old person", scale=0.0), pair], 2 * (6 - 3)),
        # Counted from the step at which a concept begins or ends: 3, 5; 3; and 0, 2, 3, 5.
        ([replace(pair, concepts_every=2), None], 2 * 2),
        ([replace(pair, concepts_every=3), with_momentum], 2 + 2 * 6),
        ([pair, replace(with_momentum, concepts_every=2)], 2 * (6 - 3) + 2 * 4),
    ):
        with fair_guidance(pipe, edits) as guided:
            run(pipe, [0, 1])
            assert guided.calls == STEPS
            assert guided.rows == 2 * 2 * STEPS + concept_rows
    # Without classifier-free guidance a steered image needs an unconditional row of its own.
    with fair_guidance(pipe, [pair, None]) as guided:
        run(pipe, [0, 1], scale=1.0)
        assert guided.rows == 2 * STEPS + (2 + 1) * (6 - 3)
    with fair_guidance(pipe, [replace(pair, concepts_every=2), None]) as guided:
        run(pipe, [0, 1], scale=1.0)
        assert guided.rows == 2 * STEPS + (2 + 1) * 2


def test_what_concepts_say_may_serve_several_steps(pipe):
    """Each image by its own `concepts_every`: those that ask at every step do not notice the others."""
    edits = [edit and replace(edit, concepts_every=every) for edit, every in zip(EDITS, (2, 1, 1, 3, 8), strict=True)]
    with fair_guidance(pipe, edits):
        together = run(pipe, range(5))
    with fair_guidance(pipe, EDITS):
        exact = run(pipe, range(5))
    for i, edit in enumerate(edits):
        with fair_guidance(pipe, [edit]):
            assert tiny.relative(run(pipe, [i])[0], together[i]) < 1e-5
        off = tiny.relative(together[i], exact[i])
        assert off > 1e-4 if edit and edit.concepts_every > 1 else off < 1e-5


def test_a_second_order_scheduler_warms_up_in_steps():
    """Heun calls the denoiser twice a step: warm-up and cool-down count steps, not calls."""
    pipe = tiny.build_sd()
    pipe.scheduler = diffusers.HeunDiscreteScheduler.from_config(pipe.scheduler.config)
    edit = toward("female person", "male person", warmup_steps=3, cooldown_steps=5, momentum_scale=0.0)

    def latents_of(edit):
        found = []
        with fair_guidance(pipe, [edit]) as guided:
            run(pipe, [0], callback_on_step_end=lambda _, step, t, now: found.append(now["latents"].clone()) or now)
        return found, guided

    (steered, guided), (unguided, _) = latents_of(edit), latents_of(None)
    differs = [not torch.equal(one, other) for one, other in zip(steered, unguided, strict=True)]
    assert differs.index(True) == 2 * 3
    assert guided.rows == 2 * guided.calls + 2 * 2 * (5 - 3)


def test_the_pipeline_is_called_as_always(pipe):
    """Callbacks, output types, several images per prompt and calls in a row; afterwards the stock pipeline."""
    unet, steps, edits = pipe.unet, [], EDITS[:1] * 2
    call = {"num_inference_steps": STEPS, "num_images_per_prompt": 2}

    def note(_, step, t, tensors):
        steps.append(step)
        return tensors

    def draw(**more):
        generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
        return pipe(PROMPTS[0], generator=generators, **call, **more).images

    with fair_guidance(pipe, edits):
        first = draw(output_type="np", callback_on_step_end=note)
        again = draw(output_type="np")
        assert draw()[0].size == (32, 32)
    assert steps == list(range(STEPS))
    assert (first == again).all()
    assert pipe.unet is unet
    assert not {"check_inputs", "encode_prompt", "maybe_free_model_hooks"} & set(vars(pipe))
    with pytest.raises(RuntimeError, match="stop"), fair_guidance(pipe, edits):
        raise RuntimeError("stop")
    assert pipe.unet is unet


def test_an_interrupted_call_leaves_the_next_one_right(pipe):
    def stop(_, step, t, tensors):
        if step == 2:
            raise KeyboardInterrupt
        return tensors

    with fair_guidance(pipe, EDITS[:1]):
        wanted = run(pipe, [0])
        with pytest.raises(KeyboardInterrupt):
            run(pipe, [0], callback_on_step_end=stop)
        assert torch.equal(run(pipe, [0]), wanted)


def test_no_step_reads_a_tensor_back():
    """The term runs on the meta device, where any read of a value raises."""
    schedule = Schedule(EDITS)
    schedule.to(torch.device("meta"))
    momentum = Momentum()
    for step in range(STEPS):
        phase = schedule.phase(step)
        asked = schedule.asked(step)
        rows = torch.empty(len(asked.image), 4, 64, device="meta")
        edit = term(directions(rows, rows, asked.scale, asked.threshold), phase, momentum)
        assert edit.shape == (4, 4, 64)


class _Reads(TorchDispatchMode):
    """Count what makes the host wait for a device: values read back, and shapes that depend on values."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name()
        if name in ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal"):
            self.count[name] += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("scale", [5.0, 1.0], ids=["with-cfg", "without"])
def test_no_step_but_the_first_reads_a_tensor_back(pipe, scale):
    """More steps read as many values more in a guided call as in an unguided one: text is found at the first step."""

    def reads(edits, steps):
        with fair_guidance(pipe, edits), _Reads() as reads:
            run(pipe, range(len(EDITS)), scale, num_inference_steps=steps)
        return reads.count

    more = [reads(edits, STEPS + 6) - reads(edits, STEPS) for edits in ([None] * len(EDITS), EDITS)]
    assert more[0] == more[1]


def test_offloading_keeps_its_hold_on_the_denoiser():
    """Offloading sets its hooks anew after every call: the denoiser's too."""
    pipe = tiny.build_sd()
    pipe.enable_model_cpu_offload(device="cpu")
    wanted = {type(hook.model) for hook in pipe._all_hooks}
    assert type(pipe.unet) in wanted
    bare = pipe.unet
    with fair_guidance(pipe, EDITS[:1]) as guided:
        for _ in range(2):
            before = bare._hf_hook
            run(pipe, [0], num_inference_steps=3)
            assert {type(hook.model) for hook in pipe._all_hooks} == wanted
            assert bare._hf_hook is not before
            assert guided.rows == 3 * 4
    assert pipe.unet is bare


def test_half_precision_keeps_its_dtype(pipe):
    half = tiny.build_sd().to(torch.bfloat16)
    with fair_guidance(half, EDITS[:1]):
        images = run(half, [0])
    assert images.dtype == torch.bfloat16
    assert images.isfinite().all()


def test_bad_input_is_one_clear_line(pipe):

    def refused(match):
        return pytest.raises(FairsweepError, match=match)

    for edits in (EDITS[:2], [None, None]):
        with refused("2 edits are given, but the call makes 3 images"), fair_guidance(pipe, edits):
            run(pipe, [0, 1, 2])
    with refused("an Edit or None for each image, not 'female'"), fair_guidance(pipe, ["female"]):
        pass
    with refused(r"a list with an Edit or None for each image, not a bare Edit\("), fair_guidance(pipe, EDITS[0]):
        pass
    with refused("guided already"), fair_guidance(pipe, EDITS), fair_guidance(pipe, EDITS):
        pass
    with refused(r"threshold 1\.5 of 'old' is no quantile"):
        Concept("old", threshold=1.5)
    with refused(r"scale \[4\.0, 5\.0\] of 'old' is no finite number: give one number per concept"):
        toward("old", scale=[4.0, 5.0])
    for bad in ({"scale": float("nan")}, {"scale": "4"}, {"weight": float("inf")}, {"threshold": None}):
        with refused(f"{next(iter(bad))} .* of 'old' is no finite number"):
            Concept("old", **bad)
    with refused(r"a concept is one text, not \['female', 'male'\]"):
        toward(["female", "male"])
    for bad in (Concept("old"), ["old"], "old"):
        with refused("an edit holds a tuple of Concepts, not .*old"):
            Edit(bad)

    class OtherPipeline:
        pass

    with (
        refused("OtherPipeline has no known denoiser; known: .*FluxPipeline.*To add a family"),
        fair_guidance(OtherPipeline(), EDITS),
    ):
        pass


def test_embeddings_from_outside(pipe):
    """They give the text's image, and may be longer than the concepts' texts."""
    given, unwanted = pipe.encode_prompt(PROMPTS[0], "cpu", 1, True)
    options = {"num_inference_steps": 3, "output_type": "latent"}
    longer = {"prompt_embeds": torch.cat([given] * 2, 1), "negative_prompt_embeds": torch.cat([unwanted] * 2, 1)}
    with fair_guidance(pipe, [toward("old person", warmup_steps=0)]):
        found = pipe(prompt_embeds=given, negative_prompt_embeds=unwanted, generator=generators([0]), **options).images
        assert torch.equal(found, pipe(PROMPTS[0], generator=generators([0]), **options).images)
        # Attention over the same tokens twice is attention over them once: the length changes rounding alone.
        twice = pipe(**longer, generator=generators([0]), **options).images
    assert (found - twice).abs().max() / found.abs().max() < 1e-4
    assert (pipe(PROMPTS[0], generator=generators([0]), **options).images - found).abs().max() > 1e-3
    bare = diffusers.StableDiffusionPipeline(**pipe.components | {"text_encoder": None}, requires_safety_checker=False)
    with (
        pytest.raises(FairsweepError, match="no text_encoder to encode 'female person' with"),
        fair_guidance(bare, [toward("female person", warmup_steps=0)]),
    ):
        bare(prompt_embeds=given, negative_prompt_embeds=unwanted, **options)

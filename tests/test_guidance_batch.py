"""One batch of differently guided images: each as alone, no row too many, nothing left behind."""

import pytest
import tiny
import torch

from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Edit, fair_guidance, toward
from fairsweep.guidance.schedule import Schedule
from fairsweep.guidance.sega import Momentum, directions, term

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


def run(pipe, which, scale=5.0, **call):
    call = {"num_inference_steps": STEPS, "guidance_scale": scale, "output_type": "latent"} | call
    generators = [torch.Generator().manual_seed(SEEDS[i]) for i in which]
    return pipe([PROMPTS[i] for i in which], generator=generators, **call).images


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


def test_rows_run_only_where_they_matter(pipe):
    """Rows per call: two per image and step, and one per concept between warm-up and cool-down."""
    pair = toward("female person", "male person", warmup_steps=3, cooldown_steps=6, momentum_scale=0.0)
    with_momentum = toward("female person", "male person", warmup_steps=3, cooldown_steps=6)
    for edits, concept_rows in (
        ([pair, None], 2 * (6 - 3)),
        ([pair, with_momentum], 2 * (6 - 3) + 2 * 6),
        ([toward("old person", scale=0.0), pair], 2 * (6 - 3)),
    ):
        with fair_guidance(pipe, edits) as guided:
            run(pipe, [0, 1])
            assert guided.calls == STEPS
            assert guided.rows == 2 * 2 * STEPS + concept_rows
    # Without classifier-free guidance a steered image needs an unconditional row of its own.
    with fair_guidance(pipe, [pair, None]) as guided:
        run(pipe, [0, 1], scale=1.0)
        assert guided.rows == 2 * STEPS + (2 + 1) * (6 - 3)


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
    assert not {"check_inputs", "encode_prompt"} & set(vars(pipe))
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
        rows = torch.empty(len(phase.image), 4, 64, device="meta")
        edit = term(directions(rows, rows, phase.scale, phase.threshold), phase, momentum)
        assert edit.shape == (4, 4, 64)


def test_half_precision_keeps_its_dtype(pipe):
    half = tiny.build_sd().to(torch.bfloat16)
    with fair_guidance(half, EDITS[:1]):
        images = run(half, [0])
    assert images.dtype == torch.bfloat16
    assert images.isfinite().all()


def test_bad_input_is_one_clear_line(pipe):

    def refused(match):
        return pytest.raises(FairsweepError, match=match)

    with refused("2 edits are given, but the call makes 3 images"), fair_guidance(pipe, EDITS[:2]):
        run(pipe, [0, 1, 2])
    with refused("an Edit or None for each image, not 'female'"), fair_guidance(pipe, ["female"]):
        pass
    with refused("guided already"), fair_guidance(pipe, EDITS), fair_guidance(pipe, EDITS):
        pass
    with refused(r"threshold 1\.5 of 'old' is no quantile"):
        Concept("old", threshold=1.5)

    class OtherPipeline:
        pass

    with (
        refused("OtherPipeline has no known denoiser; known: .*FluxPipeline.*To add a family"),
        fair_guidance(OtherPipeline(), EDITS),
    ):
        pass

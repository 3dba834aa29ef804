"""Where text is not found, or rows are taken for others', the first call says so: no wrong picture in silence."""

from dataclasses import replace

import pytest
import torch

from fairsweep.errors import FairsweepError
from fairsweep.guidance import fair_guidance, stepping, toward
from support import tiny

EDIT = toward("female person", "male person", scale=8.0, threshold=0.0, warmup_steps=0)


def run(pipe, edits, steps=2):
    with fair_guidance(pipe, edits):
        return pipe(
            ["a nurse"] * len(edits),
            num_inference_steps=steps,
            guidance_scale=4.0,
            output_type="latent",
            generator=[torch.Generator().manual_seed(seed) for seed in range(len(edits))],
        ).images


def without_pooled(layout):
    """As if the second embedding of a text had not been found."""
    return replace(layout, text={path: source for path, source in layout.text.items() if "text_embeds" not in path})


def branches_swapped(layout):
    """As if the unconditional rows came last."""
    return replace(layout, block=1 - layout.block, unconditional=(layout.call, layout.block))


@pytest.mark.parametrize(("build", "mistake"), [(tiny.build_sdxl, without_pooled), (tiny.build_sdxl, branches_swapped)])
def test_a_wrong_layout_is_refused(monkeypatch, build, mistake):
    pipe, locate = build(), stepping.locate
    monkeypatch.setattr(stepping, "locate", lambda *arguments: mistake(locate(*arguments)))
    for _ in range(2):
        with pytest.raises(
            FairsweepError, match=r"does not repeat an image's prediction from its prompt .*: it cannot"
        ):
            run(pipe, [EDIT, None])
    monkeypatch.undo()
    assert run(pipe, [EDIT, None]).isfinite().all()


def test_one_row_for_each_pipeline():
    """Not for each call: a sweep has thousands."""
    pipe, rows = tiny.build_sd(), []
    pipe.unet.register_forward_hook(lambda module, args, output: rows.append(len(output[0])))
    for _ in range(2):
        run(pipe, [EDIT, None], steps=1)
    # A call of two branches for two images, the trial's row, two concepts; then the same without the trial.
    assert rows == [4, 1, 2, 4, 2]


def test_a_caching_denoiser_is_left_alone():
    """One more forward would change what it keeps."""
    pipe, rows = tiny.build_sd(), []
    block = pipe.unet.mid_block
    block.forward = block.forward
    pipe.unet.register_forward_hook(lambda module, args, output: rows.append(len(output[0])))
    run(pipe, [EDIT], steps=1)
    assert rows == [2, 2]

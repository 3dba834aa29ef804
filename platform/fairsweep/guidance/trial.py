"""A trial, once for each pipeline: an image's own prompt as its concept must make its own prediction again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch

from fairsweep.errors import FairsweepError
from fairsweep.guidance.arguments import count, leaves
from fairsweep.guidance.locate import Call, Layout
from fairsweep.guidance.recording import Recorder
from fairsweep.guidance.rows import ConceptRows, own_text

# Whose modules compute a row as it would be computed alone; others may merge tokens, or keep what they computed.
_PLAIN = ("torch.", "diffusers.", "peft.")
_TOLERANCE = {torch.float16: 5e-2, torch.bfloat16: 5e-2}
# What else than text the branches may differ in: pictures, residuals of a ControlNet, sizes.
_BESIDE = ("image_embeds", "ip_", "residual", "controlnet", "block_samples", "time_ids")

_tried: WeakKeyDictionary[Any, set] = WeakKeyDictionary()


def attempt(
    module: torch.nn.Module,
    denoiser: Callable,
    calls: Sequence[Call],
    layout: Layout,
    images: int,
    recorder: Recorder,
    name: str,
) -> None:
    """Raise FairsweepError unless one row with the last image's own prompt gives what the pipeline's own row gave.

    Where the pipeline has an unconditional row of the image the prompt is put into that: text that was not found
    shows. A denoiser whose modules keep state or mix rows is left alone.
    """
    tried = _tried.setdefault(module, set())
    kind = (name, len(calls), layout.rows // images, layout.call, layout.block, tuple(layout.text))
    if kind in tried or not _is_plain(module):
        return
    call, base, at = calls[layout.call], calls[layout.call], layout
    if layout.unconditional is not None and _differ_in_text(calls, layout, images):
        number, block = layout.unconditional
        base, at = calls[number], replace(layout, block=block)
    rows = ConceptRows(at, images, [own_text(layout, recorder, images)])
    ((_, output),) = rows.run(denoiser, base, ((images - 1, 0),), "trial")
    own = call.output[(layout.block + 1) * images - 1].double()
    off = float((output[0].double() - own).norm() / own.norm().clamp_min(torch.finfo(own.dtype).tiny))
    if not off < _TOLERANCE.get(call.output.dtype, 1e-3):
        raise FairsweepError(
            f"{name} does not repeat an image's prediction from its prompt ({off:.2g} off): some of its text, or what "
            "its images share, is not where it is looked for: it cannot be guided"
        )
    tried.add(kind)


def _differ_in_text(calls: Sequence[Call], layout: Layout, images: int) -> bool:
    """Tell whether the two branches have arguments of one form, and differ in nothing that is known to be no text."""
    number, block = layout.unconditional or (0, 0)
    ours, theirs = (dict(leaves(calls[index].arguments)) for index in (layout.call, number))
    if ours.keys() != theirs.keys():
        return False
    for path, value in ours.items():
        other = theirs[path]
        if isinstance(value, torch.Tensor) and isinstance(other, torch.Tensor):
            if value.shape != other.shape:
                return False
            if value.dim() and count(value, 0) == layout.rows:
                value, other = (
                    each.narrow(0, start * images, images) for each, start in ((value, layout.block), (other, block))
                )
            if any(word in str(path) for word in _BESIDE) and not torch.equal(value, other):
                return False
    return True


def _is_plain(module: torch.nn.Module) -> bool:
    return all(
        "forward" not in vars(part) and f"{type(part).__module__}.".startswith(_PLAIN) for part in module.modules()
    )

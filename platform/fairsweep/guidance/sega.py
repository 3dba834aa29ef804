"""The Semantic Guidance term over a batch of images (Brack et al., arXiv 2301.12247, equations 5 to 8)."""

from dataclasses import dataclass

import torch


@dataclass
class Momentum:
    """The running guidance, [images, channels, positions]; None before the first step."""

    value: torch.Tensor | None = None


def quantile(values: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return the q-th quantile of `values` [rows, channels, n] along n: [rows, channels, 1].

    q: one quantile per row, [rows]. Equal to `torch.quantile`, which takes one q for all rows.
    """
    last = values.shape[-1] - 1
    rank = (q.to(values.dtype) * last)[:, None, None].expand(-1, values.shape[1], 1)
    below = rank.floor()
    ordered = values.sort(dim=-1).values
    low = ordered.gather(-1, below.long())
    high = ordered.gather(-1, rank.ceil().long())
    return torch.lerp(low, high, rank - below)


def directions(concept: torch.Tensor, unconditional: torch.Tensor, scale, threshold) -> torch.Tensor:
    """Return each concept's guidance where it is strong, zero elsewhere: [rows, channels, positions].

    scale: [rows], negative to steer away. threshold: [rows], the quantile of each channel left unchanged.
    """
    guidance = (concept - unconditional) * scale.to(concept.dtype)[:, None, None]
    size = guidance.abs()
    return torch.where(size >= quantile(size, threshold), guidance, 0.0)


def term(guidance: torch.Tensor, phase, momentum: Momentum) -> torch.Tensor:
    """Weigh the concepts of each edited image, advance its momentum, and return its edit.

    guidance: [rows, channels, positions], from `directions`. phase: a `schedule.Phase` on the same device.
    Returns [images, channels, positions]: zero for an image all of whose concepts still warm up.
    """
    # A row of zeros at the end stands where an image has fewer concepts than the batch's most.
    padded = torch.cat([guidance, guidance.new_zeros(1, *guidance.shape[1:])])[phase.slots]
    total = (padded * phase.weight[:, :, None, None]).sum(1)
    if phase.uses_momentum:
        if momentum.value is None:
            momentum.value = torch.zeros_like(total)
        scale, beta = (value.to(total.dtype)[:, None, None] for value in (phase.momentum_scale, phase.momentum_beta))
        total = total + scale * momentum.value
        momentum.value = torch.lerp(total, momentum.value, beta)
    if phase.all_warm:
        return total
    edit = total * phase.warm[:, None, None]
    if phase.uses_partial:
        edit = edit + (padded * phase.partial_weight[:, :, None, None]).sum(1)
    return edit

"""From a denoiser's output to what the scheduler gets: its form, and the sign that the pipeline gives it."""

import torch

from fairsweep.errors import FairsweepError


def aligned(output: torch.Tensor, prediction: torch.Tensor, name: str) -> torch.Tensor:
    """Return the part of a denoiser's output that becomes a prediction [images, ...], in its form: [rows, ...].

    Learned variance (more channels) and the tokens of a source picture (more tokens) are cut off, as pipelines do.
    """
    shape = prediction.shape[1:]
    if output.dim() == prediction.dim() and output.shape[2:] == shape[1:] and output.shape[1] >= shape[0]:
        return output[:, : shape[0]]
    if output.shape[1:].numel() == shape.numel() and _squeezed(output.shape[1:]) == _squeezed(shape):
        return output.reshape(-1, *shape)
    raise FairsweepError(
        f"{name} turns outputs of its denoiser, {tuple(output.shape[1:])} an image, into predictions, {tuple(shape)}, "
        "in a way that is not known: it cannot be guided"
    )


def sign_of(
    prediction: torch.Tensor, conditional: torch.Tensor, unconditional: torch.Tensor | None, name: str
) -> float:
    """Return -1 where the pipeline negates the denoiser's output, else 1.

    A prediction is a conditional + b unconditional, with a + b one or minus one: both weights are fitted to the data,
    by least squares. Rescaling and a third branch move the sum, and leave its sign. Reads values back.
    """
    branches = [conditional] if unconditional is None else [conditional, unconditional]
    columns = torch.stack([branch.flatten().double().cpu() for branch in branches])
    target = prediction.flatten().double().cpu()
    weights = torch.linalg.pinv(columns @ columns.T, hermitian=True) @ (columns @ target)
    residual = (target - weights @ columns).norm() / target.norm().clamp_min(torch.finfo(target.dtype).tiny)
    if not residual < 0.7 or abs(weights.sum()) < 0.1:
        raise FairsweepError(
            f"{name} makes its predictions from the denoiser's output in a way that is not known: it cannot be guided"
        )
    return 1.0 if weights.sum() > 0 else -1.0


def _squeezed(shape: torch.Size) -> list[int]:
    return [size for size in shape if size != 1]

"""From a denoiser's output to what the scheduler gets: its form, and the sign that the pipeline gives it."""

from collections.abc import Sequence

import torch

from fairsweep.errors import FairsweepError

# The part of a prediction that the denoiser's outputs leave unexplained, from which on something else is in it: half
# precision leaves some hundredths.
_UNLIKE = 0.2
# Tokens that are looked at where each is rescaled by itself.
_TOKENS = 4096


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


def sign_of(prediction: torch.Tensor, branches: Sequence[torch.Tensor], name: str) -> float:
    """Return -1 where the pipeline negates the denoiser's output, else 1.

    branches: every block of rows that the step's calls returned, each [images, ...]. A prediction is a weighted sum of
    them, with weights of sum one or minus one, maybe rescaled (an image or a token at a time), which moves the sum and
    leaves its sign. Raises FairsweepError for anything else, such as one that the latents are mixed into: there an edit
    would have another scale at each step. Reads values back.
    """
    target = prediction.double().cpu()
    columns = torch.stack([branch.double().cpu() for branch in branches], -1)
    weights, residual = _fitted(columns.flatten(0, -2), target.flatten())
    if residual >= _UNLIKE and target.shape[-1] > len(branches):
        tokens, columns = target.flatten(0, -2), columns.flatten(0, -3)
        some = slice(None, None, max(1, len(tokens) // _TOKENS))
        _, residual = _fitted(columns[some], tokens[some])
    if not residual < _UNLIKE or abs(weights.sum()) < 0.1:
        raise FairsweepError(
            f"{name} makes its predictions from the denoiser's output in a way that is not known: it cannot be guided"
        )
    return 1.0 if weights.sum() > 0 else -1.0


def _fitted(columns: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return the least-squares weights of columns [..., values, columns] for a target, and the part left over."""
    across = columns.mT
    weights = torch.linalg.pinv(across @ columns, hermitian=True) @ (across @ target[..., None])
    left = (target - (columns @ weights)[..., 0]).norm() / target.norm().clamp_min(torch.finfo(target.dtype).tiny)
    return weights, float(left)


def _squeezed(shape: torch.Size) -> list[int]:
    return [size for size in shape if size != 1]

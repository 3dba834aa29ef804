"""What a sweep will cost before it has run: rows of the denoiser, and the time that a card takes for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from fairsweep.guidance.concepts import Conditioning
from fairsweep.spec import SweepSpec


@dataclass(frozen=True)
class Estimate:
    """What is still to do: denoiser rows, and the seconds that one card (or CPU actor) takes at measured rates.

    seconds: None where the rate of some model is unknown; unknown: those models. longest: the seconds of one image of
    the slowest cell.
    """

    rows: int
    seconds: float | None
    unknown: tuple[str, ...]
    longest: float = 0.0


def rows_per_image(conditioning: Conditioning, steps: int, guidance_scale: float) -> int:
    """Return the denoiser rows of one image: for classifier-free guidance two a step, and one per running concept.

    Guidance-distilled models take one less a step than this says while nothing steers the image.
    """
    branches = 2 if guidance_scale > 1 else 1
    edit = conditioning.counted(steps).edit
    running = [len(edit.running(step)) if edit and edit.asks(step) else 0 for step in range(steps)]
    # Where the pipeline runs no unconditional branch itself, a steered image gets a row of it.
    return sum(branches + concepts + (branches == 1 and concepts > 0) for concepts in running)


def rows_by_cell(spec: SweepSpec) -> dict[tuple[str, str], int]:
    """Return the denoiser rows of one image of each model and setting."""
    prompt = spec.prompts.expand()[0].text
    # Whichever group an image is steered to, the concepts are as many.
    direction = {name: next(iter(attribute.groups)) for name, attribute in spec.attributes.items()}
    conditionings = {
        setting.name: setting.build(spec.attributes, spec.prompts.negative_prompt)(prompt, direction)
        for setting in spec.guidance
    }
    return {
        (model.name, setting): rows_per_image(conditioning, model.steps_taken, model.guidance_scale)
        for model in spec.models
        for setting, conditioning in conditionings.items()
    }


def rates(rows: dict[tuple[str, str], int], measured: Iterable[tuple[str, str, int, float]]) -> dict[str, float]:
    """Return each model's denoiser rows per second, from (model, setting, images, seconds of one) that are there."""
    made: dict[str, float] = {}
    taken: dict[str, float] = {}
    for model, setting, images, seconds in measured:
        if (model, setting) in rows:
            made[model] = made.get(model, 0) + images * rows[model, setting]
            taken[model] = taken.get(model, 0.0) + images * seconds
    return {model: made[model] / seconds for model, seconds in taken.items() if seconds > 0}


def estimate(
    rows: dict[tuple[str, str], int], missing: dict[tuple[str, str], int], speeds: dict[str, float], rate: float | None
) -> Estimate:
    """Return what the missing images take: at their model's measured rate, else at `rate` rows a second."""
    total, seconds, longest = 0, 0.0, 0.0
    unknown: dict[str, None] = {}
    for (model, setting), images in missing.items():
        work = images * rows[model, setting]
        total += work
        speed = speeds.get(model) or rate
        if speed:
            seconds += work / speed
            longest = max(longest, rows[model, setting] / speed if images else 0.0)
        elif work:
            unknown[model] = None
    return Estimate(total, None if unknown else seconds, tuple(unknown), longest)

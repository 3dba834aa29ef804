"""One guided pipeline call, step by step: what the denoiser was asked and said, and the edit of each prediction."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from fairsweep.errors import FairsweepError
from fairsweep.families.base import Family
from fairsweep.guidance.arguments import objects
from fairsweep.guidance.concepts import Edit
from fairsweep.guidance.locate import Call, Layout, locate
from fairsweep.guidance.prediction import aligned, sign_of
from fairsweep.guidance.recording import Recorder
from fairsweep.guidance.rows import ConceptRows, check_caches, encoded, rows_of
from fairsweep.guidance.schedule import Asked, Phase, Schedule
from fairsweep.guidance.sega import Momentum, directions, term
from fairsweep.guidance.trial import attempt


class Guidance:
    """Steers the images of every call of one pipeline, one edit (or None) for each image.

    calls, rows: what the pipeline's latest call asked of the denoiser: calls of its own, and rows in all but a trial's.

    The denoiser and the pipeline's formula (classifier-free guidance, rescaling, skipped layers) are left alone: the
    edit is added to what the scheduler gets, where Semantic Guidance has it.
    """

    def __init__(self, pipe, family: Family, edits: Sequence[Edit | None]):
        self._pipe, self._family, self._name = pipe, family, type(pipe).__name__
        self._images, self._edits = len(edits), edits
        self._schedule = Schedule(edits)
        self.calls = self.rows = 0

    @property
    def texts(self) -> list[str]:
        """Return the distinct texts of all concepts."""
        return self._schedule.texts

    def begin(self, denoiser: Callable, recorder: Recorder) -> None:
        """Start over: a pipeline call begins."""
        self._denoiser, self._recorder = denoiser, recorder
        self._step = self.calls = self.rows = 0
        # A scheduler of second order, such as Heun's, is called twice a step.
        self._order = getattr(self._pipe.scheduler, "order", 1)
        self._momentum = Momentum()
        self._pending: list[Call] = []
        self._layouts: dict[tuple[int, ...], tuple[Layout, ConceptRows]] = {}
        self._sign: float | None = None
        self._directions: dict[int, torch.Tensor] = {}

    def note(self, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        """Keep one call of the denoiser until the step's prediction is there."""
        call = Call(args, kwargs, rows_of(output))
        self.calls += 1
        self.rows += len(call.output)
        self._pending.append(call)

    def edited(self, prediction: torch.Tensor, sample: torch.Tensor | None = None) -> torch.Tensor:
        """Return a step's prediction, [images, ...], with the edits added to the images that have one.

        sample: the latents that are stepped: what the prediction has beyond their channels is learned variance.
        """
        if sample is not None and prediction.dim() == sample.dim() and prediction.shape[2:] == sample.shape[2:]:
            channels = sample.shape[1]
            if prediction.shape[1] > channels:
                return torch.cat([self.edited(prediction[:, :channels]), prediction[:, channels:]], 1)
        if len(prediction) != self._images:
            raise FairsweepError(
                f"{self._images} edits are given, but the call makes {len(prediction)} images: give one each"
            )
        calls, self._pending = self._pending, []
        if not self._schedule.edits:
            return prediction
        if self._step == 0:
            edits = [edit and edit.counted(self._steps()) for edit in self._edits]
            if edits != self._edits:
                self._schedule = Schedule(edits)
            self._schedule.to(prediction.device)
            self._check(calls)
            # Before a callback replaces the prompts' embeddings.
            self._layout(calls)
        if self._step >= max(self._times(), len(self._pipe.scheduler.timesteps)):
            raise FairsweepError(
                f"{self._name} steps its scheduler more often than it has time steps, maybe for parts of a picture: it "
                "cannot be guided in this mode"
            )
        step = self._step // self._order
        phase = self._schedule.phase(step)
        self._step += 1
        if phase.idle:
            return prediction
        self._check(calls)
        guidance = self._guidance(calls, phase, self._schedule.asked(step), prediction)
        edit = self._family.from_channels(term(guidance, phase, self._momentum), prediction)
        return prediction.index_add(0, phase.edited, (self._sign * edit).to(prediction))

    def end(self) -> None:
        """Refuse what a call returns that never stepped the pipeline's own scheduler: no edit is in it."""
        if self._schedule.edits and not self._step:
            raise FairsweepError(
                f"{self._name} took no step of its own, maybe because it calls another pipeline: its images are not "
                "guided"
            )

    def _check(self, calls: list[Call]) -> None:
        if not calls:
            raise FairsweepError(
                f"{self._name} makes a prediction without its {self._family.denoiser}, maybe by a second one: it "
                "cannot be guided"
            )
        for path, found in (found for call in calls for found in objects(call.arguments)):
            raise FairsweepError(
                f"{self._name} gives its {self._family.denoiser} {path[-1]!r}, a {type(found).__name__}, which may "
                "hold what belongs to its images' rows: it cannot be guided in this mode"
            )

    def _guidance(self, calls: list[Call], phase: Phase, asked: Asked, prediction: torch.Tensor) -> torch.Tensor:
        """Return what the phase's concepts say, [rows, channels, positions]: asked now, or as they said it last."""
        if not asked.rows and phase.asked.rows:
            return self._latest(phase)
        layout, rows = self._layout(calls)
        unconditional = self._unconditional(calls, layout, prediction)
        if self._sign is None:
            self._sign = sign_of(prediction, self._blocks(calls, layout, prediction), self._name)
        context = f"concepts of step {phase.start}"
        if asked is not phase.asked:
            context += f", images {sorted({image for image, _ in asked.rows})}"
        concepts, base = self._concepts(calls[layout.call], rows, context, asked, prediction, unconditional)
        precise = torch.promote_types(concepts.dtype, torch.float32)
        concepts, base = (self._family.to_channels(value).to(precise) for value in (concepts, base))
        guidance = directions(concepts, base, asked.scale, asked.threshold)
        if not (self._schedule.reuses and phase.asked.rows):
            return guidance
        images = [image for image, _ in asked.rows]
        self._directions |= {image: guidance[images.index(image) :][: images.count(image)] for image in set(images)}
        return self._latest(phase)

    def _latest(self, phase: Phase) -> torch.Tensor:
        return torch.cat([self._directions[image] for image in dict.fromkeys(image for image, _ in phase.asked.rows)])

    def _steps(self) -> int:
        """Return how many steps the call has; an image to image pipeline leaves the first ones out."""
        return -(-self._times() // self._order)

    def _times(self) -> int:
        return getattr(self._pipe, "_num_timesteps", None) or len(self._pipe.scheduler.timesteps)

    def _layout(self, calls: list[Call]) -> tuple[Layout, ConceptRows]:
        # What a pipeline runs may change on its way: guidance that ends early, layers skipped between two steps.
        kind = tuple(len(call.output) for call in calls)
        if kind not in self._layouts:
            if getattr(self._pipe, "do_perturbed_attention_guidance", False):
                raise FairsweepError(
                    f"{self._name}'s perturbed attention splits the denoiser's rows in its own way: give pag_scale=0 "
                    "to guide it"
                )
            layout = locate(calls, self._recorder, self._images, self._name)
            concepts: list[str | None] = [*self._schedule.texts]
            if layout.unconditional is None:
                concepts.append(None)
            if not self._layouts:
                module = getattr(self._pipe, self._family.denoiser)
                check_caches(module, self._name)
                attempt(module, self._denoiser, calls, layout, self._images, self._recorder, self._name)
            texts = [encoded(layout, self._recorder, concept) for concept in concepts]
            self._layouts[kind] = layout, ConceptRows(layout, self._images, texts)
        return self._layouts[kind]

    def _unconditional(self, calls: list[Call], layout: Layout, prediction: torch.Tensor) -> torch.Tensor | None:
        if layout.unconditional is None:
            return None
        call, block = layout.unconditional
        rows = calls[call].output[block * self._images : (block + 1) * self._images]
        return aligned(rows, prediction, self._name)

    def _blocks(self, calls: list[Call], layout: Layout, prediction: torch.Tensor) -> list[torch.Tensor]:
        """Return every block of rows that has the form of the conditional ones."""
        form = calls[layout.call].output.shape[1:]
        return [
            aligned(rows, prediction, self._name)
            for call in calls
            if call.output.shape[1:] == form and len(call.output) % self._images == 0
            for rows in call.output.split(self._images)
        ]

    def _concepts(
        self,
        call: Call,
        rows: ConceptRows,
        context: str,
        wanted: Asked,
        prediction: torch.Tensor,
        unconditional: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs of the concepts wanted and their images' unconditional ones, both [rows, ...]."""
        asked = wanted.rows
        if unconditional is None:
            # The pipeline runs no unconditional branch: the steered images get a row of it here.
            empty = len(self._schedule.texts)
            asked += tuple((image, empty) for image in dict.fromkeys(image for image, _ in wanted.rows))
        outputs = prediction.new_empty(len(asked), *prediction.shape[1:])
        for places, output in rows.run(self._denoiser, call, asked, context):
            self.rows += len(output)
            output = aligned(output, prediction, self._name)
            if len(places) == len(asked):
                outputs = output
            else:
                outputs = outputs.to(output.dtype)
                outputs[places] = output
        concepts = outputs[: len(wanted.rows)]
        if unconditional is None:
            return concepts, outputs[len(wanted.rows) :][wanted.base]
        return concepts, unconditional[wanted.image]

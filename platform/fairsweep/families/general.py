"""What sweeps need of a class, read from its signatures: how prompts are encoded ahead, and what its call takes."""

import inspect
from typing import Any, ClassVar

from diffusers import DiffusionPipeline

from fairsweep.errors import FairsweepError
from fairsweep.families.base import DENOISERS, Family

_BRANCHED = "do_classifier_free_guidance"
_NEGATIVE = "negative_"
# Embeddings stand for prompts; the size is what was asked for, not the nearest that the model was trained at; prompts
# are rewritten before the call, or not at all.
_FIXED = {"negative_prompt": None, "use_resolution_binning": False, "use_pe": False, "enable_prompt_rewrite": False}


class General(Family):
    """A class whose call takes what its `encode_prompt` returns.

    outputs: the arguments of the call that `encode_prompt` returns, in its order; None for what the call takes none of.
    passes: what each call of it differs in, by the end of the arguments that it fills.
    scale: the call's argument for classifier-free guidance. unguided: its value for none.
    """

    name = "general"
    outputs: ClassVar[tuple[str | None, ...]] = ("prompt_embeds", "negative_prompt_embeds")
    passes: ClassVar[dict[str, dict[str, Any]]] = {"": {}}
    scale: ClassVar[str] = "guidance_scale"
    unguided: ClassVar[float] = 1.0

    def __init__(self, pipe: DiffusionPipeline):
        super().__init__(pipe)
        self.denoiser = next(name for name in DENOISERS if getattr(pipe, name, None) is not None)
        self._call = inspect.signature(type(pipe).__call__).parameters
        self._encode = inspect.signature(pipe.encode_prompt).parameters

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        branched = negative and _BRANCHED in self._encode
        # What a call would ask of it: tokens, instructions, layers.
        shared = {
            name: self._call[name].default
            for name in self._encode.keys() & self._call.keys()
            if "prompt" not in name and self._call[name].default is not inspect.Parameter.empty
        }
        fixed = {"device": pipe._execution_device, "num_images_per_prompt": 1, _BRANCHED: branched}
        arguments = shared | {name: value for name, value in fixed.items() if name in self._encode}
        if branched:
            # Instructions for prompts may not be for negative ones, and an empty one may stand for zeros.
            arguments |= {"prompt": [""]} | ({} if text is None else {"negative_prompt": [text]})
        else:
            arguments |= {"prompt": [text or ""]}
        embeddings = {}
        for end, more in self.passes.items():
            values = pipe.encode_prompt(**arguments | more)
            for name, value in zip(self.outputs, values, strict=True):
                if name and name.startswith(_NEGATIVE) == branched:
                    embeddings[name.removeprefix(_NEGATIVE) + end] = value
        return {name: value for name, value in embeddings.items() if not negative or _NEGATIVE + name in self._call}

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        if negative and not any(name.startswith("negative_prompt_embeds") for name in self._call):
            raise FairsweepError(f"{type(pipe).__name__} takes no negative prompt")
        scale = {self.scale: guidance_scale if guidance_scale > 1 else self.unguided}
        return scale | {name: value for name, value in _FIXED.items() if name in self._call}


class FromTexts(General):
    """A class whose call takes texts, and encodes them itself: embeddings alone are of no use to it."""

    def encode(self, pipe: DiffusionPipeline, text: str | None, negative: bool = False) -> dict[str, Any]:
        return {"prompt": [text or ""]}

    def options(self, pipe: DiffusionPipeline, guidance_scale: float, negative: bool) -> dict[str, Any]:
        options = super().options(pipe, guidance_scale, negative)
        del options["negative_prompt"]
        return options

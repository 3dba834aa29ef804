"""A classifier and guidance methods of the tests' own, found as "pixels:Name" like any user's."""

import os
from dataclasses import replace

import numpy as np

from fairsweep.classifiers import Classifier, Label
from fairsweep.errors import FairsweepError
from fairsweep.guidance import Concept, Conditioning, Edit
from fairsweep.methods import GuidanceMethod


class Pixels(Classifier):
    """Label by what the pixels say: brightness decides, so that the same image always gets the same label."""

    def _classify(self, images, prompts):
        labels = []
        for image in images:
            bright = int(np.asarray(image).mean()) % 2
            found = [Label(name, list(attribute.texts)[bright], 1.0, {}) for name, attribute in self.attributes.items()]
            labels.append([*found, Label("_image", "", 0.5, {}, [1.0, 0.0])])
        return labels


class Refusing(Pixels):
    """Cannot be loaded."""

    def __init__(self, params, attributes, device="cpu"):
        raise FairsweepError("the classifier's weights are not here: fetch them first")


class Choosy(Pixels):
    """Raise on every image whose mean is even."""

    def _classify(self, images, prompts):
        if any(int(np.asarray(image).mean()) % 2 == 0 for image in images):
            raise ValueError("this image cannot be read")
        return super()._classify(images, prompts)


class Poisoned(GuidanceMethod):
    """Make the pipeline raise for the prompts about nurses: its tokenizer is given a number for a text."""

    def condition(self, prompt, negative_prompt, direction, attributes, params):
        unwanted = 13 if "nurse" in prompt else negative_prompt
        return Conditioning(prompt, unwanted, Edit((Concept("old person", warmup_steps=0),)))


def out_of_memory_beyond(rows: int):
    """Return a hook for a denoiser that runs out of memory on more rows than this."""

    # Not at the top: a driver imports this file, too, and computes nothing.
    import torch

    def hook(module, args):
        if len(args[0]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is")

    return hook


class Signed(Pixels):
    """Sign each label with the process that gave it, as the score."""

    def _classify(self, images, prompts):
        return [
            [replace(label, score=float(os.getpid())) for label in each] for each in super()._classify(images, prompts)
        ]

"""Classifiers that end the process that loads or uses them, as a crash in native code does."""

import os

from pixels import Pixels


class EndsOnLoad(Pixels):
    """End the process that builds it."""

    def __init__(self, params, attributes, device="cpu"):
        os._exit(1)


class EndsOnNurses(Pixels):
    """End the process that shows it an image of a nurse."""

    def _classify(self, images, prompts):
        if any("nurse" in prompt for prompt in prompts):
            os._exit(1)
        return super()._classify(images, prompts)


class OutOfMemory(Pixels):
    """Cannot be loaded for want of memory."""

    def __init__(self, params, attributes, device="cpu"):
        raise MemoryError("cannot allocate memory")

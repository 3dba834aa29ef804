"""Classifiers that end the process that loads or uses them, as a crash in native code does."""

import os
from pathlib import Path

from pixels import Pixels

from fairsweep.errors import FairsweepError


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


class MissingOnce(Pixels):
    """Has no files where it is loaded first."""

    def __init__(self, params, attributes, device="cpu"):
        super().__init__(params, attributes, device)
        mark = Path(os.environ["FAULTS_FOLDER"], "missing")
        if not mark.exists():
            mark.touch()
            raise FairsweepError("the folder /models/reader does not exist")

"""All that knows Ray: actors on GPUs, the hand-out of batches, one run from start to end."""

import os

from fairsweep.memory import sleep_while_waiting

sleep_while_waiting()

# Before torch first asks for a card's memory: segments that grow leave less of it unused between batches of different
# sizes. docs/speed.md has the figures.
if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

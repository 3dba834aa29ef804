"""All that knows Ray: actors on GPUs, the hand-out of batches, one run from start to end."""

import os

# Before torch loads its OpenMP, which reads this once: threads that spin while they wait for one another take the core
# from what they wait for, and an actor crawls as soon as anything else runs on its node.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Before torch first asks for a card's memory: segments that grow leave less of it unused between batches of different
# sizes. docs/speed.md has the figures.
if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

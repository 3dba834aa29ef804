"""All that knows Ray: actors on GPUs, the hand-out of batches, one run from start to end."""

"""How often the metrics' intervals hold the truth, and their tests reject what is true, over simulated models."""

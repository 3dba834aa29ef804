"""Sweep text-to-image models over fairness-guidance settings and measure how they show people."""

__version__ = "0.1.0"

"""Classifiers whose errors are known: they read the prompt instead of the image."""

from fairsweep.classifiers.base import Classifier, Label


class Reversed(Classifier):
    """A doctor is male, anyone else female."""

    def _classify(self, images, prompts):
        labels = ["male" if "doctor" in prompt else "female" for prompt in prompts]
        return [[Label("gender", label, 1.0, {label: 1.0})] for label in labels]


class Forgetful(Reversed):
    """Knows doctors only."""

    def _classify(self, images, prompts):
        if any("nurse" in prompt for prompt in prompts):
            raise ValueError("nurses are not in my book")
        return super()._classify(images, prompts)

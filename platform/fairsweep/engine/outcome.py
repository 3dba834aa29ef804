"""What a run did, as far as it came."""

from dataclasses import dataclass, field

# Failures told with their reasons; the others are only counted.
_SHOWN = 20


@dataclass
class Outcome:
    """What a run did: counts of images, and the first failures with their reasons."""

    planned: int = 0
    there: int = 0
    made: int = 0
    labelled: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    failed_images: int = 0
    failed_labels: int = 0
    refused_models: dict[str, str] = field(default_factory=dict)
    refused_classifiers: dict[str, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    stopped: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Tell whether everything asked for is there."""
        return not (self.failed_images or self.failed_labels or self.refused_models or self.stopped)

    @property
    def left(self) -> int:
        """Count the planned images that were not tried: a limit, a refused model, a stop."""
        return max(0, self.planned - self.there - self.made - self.failed_images)

    def remember(self, failed: list[tuple[str, str]]) -> None:
        """Keep the first failures, one a name, with their reasons."""
        names = {name for name, _ in self.failed}
        room = max(0, _SHOWN - len(self.failed))
        self.failed += [entry for entry in failed if entry[0] not in names][:room]

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the seconds of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

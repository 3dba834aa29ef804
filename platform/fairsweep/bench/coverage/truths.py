"""What the figures of a drawn world truly are, and which nulls hold in it."""

from collections.abc import Callable

import numpy as np

from fairsweep.bench.coverage.world import LOST, Draw

# The reference's share of the one group that it favours, of two and of three: the second of three has no more than 1/3.
FAVOURED = {2: 2 / 3, 3: 1 / 2}

Value = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _bits(shares: np.ndarray, target: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(shares > 0, shares * np.log2(shares / target), 0).sum(-1)


def _variation(shares: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.abs(shares - target).sum(-1) / 2


def _entropy(shares: np.ndarray, target: np.ndarray) -> np.ndarray:
    return 1 - _bits(shares, np.full(shares.shape[-1], 1 / shares.shape[-1])) / np.log2(shares.shape[-1])


def _shannon(shares: np.ndarray, target: np.ndarray) -> np.ndarray:
    between = (shares + target) / 2
    return (_bits(shares, between) + _bits(np.broadcast_to(target, shares.shape), between)) / 2


# Distances by their view: of shares (..., groups) to a target.
DISTANCES: dict[str, Value] = {
    "total_variation": _variation,
    "normalised_entropy": _entropy,
    "parity_difference": lambda shares, target: shares.max(-1) - shares.min(-1),
    "jensen_shannon": _shannon,
    "l2_discrepancy": lambda shares, target: np.sqrt(((shares - 1 / shares.shape[-1]) ** 2).sum(-1)),
}


def truths(draw: Draw) -> dict[str, np.ndarray]:
    """Return the true value of each figure, by name: replicates, x prompts, x groups, as its view has rows."""
    own: dict[str, np.ndarray] = {}
    replicates, prompts = draw.outcomes["none"].shape[:2]
    for setting, shares in draw.truths.items():
        own[f"share, {setting}"] = shares
        own[f"mean_share, {setting}"] = shares.mean(1)[:, 0]
        # A guided prompt's shares are those of its deal; over many deals they are the target.
        many = draw.population.mean(0)[0] if setting == "none" else draw.target[0]
        own[f"mean_share, {setting}, population"] = np.full(replicates, many)
        # What the reference favours: the first of two or three groups, whose shares there fall in even steps.
        for about in ("", ", population"):
            mean = own[f"mean_share, {setting}{about}"]
            own[f"bias_amplification, {setting}{about}"] = mean - FAVOURED[shares.shape[-1]]
        own[f"missing_share, {setting}"] = np.full((replicates, prompts), LOST)
        own[f"mean missing_share, {setting}"] = np.full(replicates, LOST)
        own[f"mean missing_share, {setting}, population"] = np.full(replicates, LOST)
        for name, value in DISTANCES.items():
            each = value(shares, draw.target)
            own[f"{name}, {setting}"] = each
            own[f"mean {name}, {setting}"] = each.mean(1)
            many = value(draw.population, draw.target).mean() if setting == "none" else each.mean()
            own[f"mean {name}, {setting}, population"] = np.full(replicates, many)
    if "fair" in draw.truths:
        change = own["total_variation, fair"] - own["total_variation, none"]
        own["change_from_baseline"] = own["distance_change"] = change
        own["mean change_from_baseline"] = change.mean(1)
        own["mean change_from_baseline, population"] = (
            own["mean total_variation, fair, population"] - own["mean total_variation, none, population"]
        )
        own["side_effects"] = own["mean_share, fair"] - own["mean_share, none"]
        own["model_comparison"] = own["side_effects"]
        own["steering"] = np.full((replicates, prompts), draw.followed)
    return own


def nulls(draw: Draw) -> dict[str, np.ndarray]:
    """Return where the null of each test holds, by name: replicates, x prompts, as its view has rows."""
    own: dict[str, np.ndarray] = {}
    replicates, prompts = draw.outcomes["none"].shape[:2]
    for setting, shares in draw.truths.items():
        own[f"target_test, {setting}"] = _near(shares, draw.target)
        own[f"cell_test, {setting}"] = _near(shares.mean(1), draw.target)
    own["mutual_information"] = np.full(replicates, draw.world.tau == 0 and prompts > 1)
    if "fair" in draw.truths:
        change = truths(draw)["change_from_baseline"]
        own["change_from_baseline"] = own["distance_change"] = np.abs(change) < 1e-9
        own["mcnemar"] = _near(draw.truths["fair"], draw.truths["none"])
        own["mcnemar, all prompts"] = _near(draw.truths["fair"].mean(1), draw.truths["none"].mean(1))
        own["side_effects"] = own["model_comparison"] = own["mcnemar, all prompts"]
        even = np.arange(prompts) % 2 == 0
        own["target_test, mixed"] = np.where(even, own["target_test, none"], own["target_test, fair"])
    return own


def _near(shares: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.abs(shares - others).max(-1) < 1e-9

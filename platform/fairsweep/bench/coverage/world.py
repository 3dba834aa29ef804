"""Simulated models whose truth is known.

A prompt's chance of each group is a softmax of the group's own level, a prompt's deviation (tau) and a seed's effect,
which all prompts and settings share. The unguided setting draws freely; the guided one is dealt directions by quota,
the remainder at random, follows them nine times in ten, and its seeds push an image to its direction or away from it.
One image in ten shows no face. The target is even, or the unguided shares themselves: free draws at distance zero.
"""

from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np

LOST = 0.1
FOLLOWED = 0.9
IMAGES = (8, 32, 100, 250)
PROMPTS = (1, 3, 10, 40, 150)
SHARES = ((0.5, 0.5), (0.9, 0.1), (0.99, 0.01), (0.5, 0.3, 0.2))


@dataclass(frozen=True)
class World:
    """One cell of the grid: images per prompt, prompts, the groups' shares, and how much prompts and seeds vary."""

    images: int
    prompts: int
    shares: tuple[float, ...]
    tau: float = 0.0
    seed_effect: float = 0.0
    target: str = "even"

    def __str__(self) -> str:
        shares = "/".join(f"{share:g}"[1:] for share in self.shares)
        own = ", on target" if self.target == "own" else ""
        return f"{self.images} x {self.prompts}, {shares}, {self.tau:g}, {self.seed_effect:g}{own}"


def grid() -> list[World]:
    """Return all worlds: even targets, and where prompts do not vary the skewed shares themselves as well."""
    worlds = [World(*world) for world in product(IMAGES, PROMPTS, SHARES, (0.0, 0.3, 1.0), (0.0, 0.5))]
    return worlds + [
        World(images, prompts, shares, 0.0, seed_effect, "own")
        for images, prompts, shares, seed_effect in product(IMAGES, PROMPTS, SHARES[1:], (0.0, 0.5))
    ]


def few() -> list[World]:
    """Return some worlds that show every kind of failure."""
    return [
        World(8, 3, (0.9, 0.1), 0.3, 0.5),
        World(8, 10, (0.5, 0.3, 0.2), 0.0, 0.5),
        World(32, 1, (0.5, 0.5), 0.0, 0.5),
        World(32, 10, (0.99, 0.01), 0.3, 0.0),
        World(100, 10, (0.5, 0.5), 0.0, 0.0),
        World(32, 40, (0.5, 0.3, 0.2), 1.0, 0.5),
        World(32, 10, (0.99, 0.01), 0.0, 0.5, "own"),
    ]


@dataclass(frozen=True)
class Draw:
    """Replicates of a world: what was drawn (replicates x prompts x images), and the truth of each.

    outcomes and directions by setting: the place of a group, or past the last no face and no direction; truths by
    setting: replicates x prompts x groups; population: the shares of many prompts like these.
    """

    world: World
    outcomes: dict[str, np.ndarray]
    directions: dict[str, np.ndarray]
    truths: dict[str, np.ndarray]
    population: np.ndarray
    target: np.ndarray
    followed: float


def draw(rng: np.random.Generator, world: World, replicates: int) -> Draw:
    """Draw so many replicates of a world, each with prompts and seeds of its own."""
    groups = len(world.shares)
    shape = (replicates, world.prompts, world.images)
    own = rng.normal(size=(replicates, world.prompts, groups - 1))
    seeds = rng.normal(size=(replicates, 1, world.images, groups - 1))
    nodes, weights = _seeds(groups - 1)
    many = _lattice(groups - 1, 2000 if groups == 2 else 50) if world.tau else np.zeros((1, groups - 1))
    population = np.einsum("psg,s->pg", _chances(world, many[:, None], nodes), weights)
    outcomes = {"none": _outcomes(rng, _chances(world, own[:, :, None], seeds), shape)}
    directions = {"none": np.full(shape, groups)}
    # One seed after the other: all at once would fill the memory.
    truths = {"none": sum(weight * _chances(world, own, seed) for seed, weight in zip(nodes, weights, strict=True))}
    each = np.einsum("dsg,s->dg", _steered(world, np.arange(groups)[:, None], nodes), weights)
    if world.target == "even":
        dealt = rng.permuted(np.broadcast_to(np.arange(world.images) % groups, shape).copy(), axis=-1)
        order = rng.permuted(np.broadcast_to(np.arange(groups), (*shape[:2], groups)).copy(), axis=-1)
        dealt = np.take_along_axis(order, dealt, -1)
        outcomes["fair"] = _outcomes(rng, _steered(world, dealt, seeds), shape)
        directions["fair"] = dealt
        truths["fair"] = (dealt[..., None] == np.arange(groups)).mean(2) @ each
    target = np.full(groups, 1 / groups) if world.target == "even" else population[0]
    return Draw(world, outcomes, directions, truths, population, target, float(each[0, 0]))


def _chances(world: World, own: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the chance of each group, (..., groups), where deviations and effects (..., groups - 1) are given."""
    levels = np.log(np.array(world.shares))
    free = levels[:-1] - levels[-1] + world.tau * own + world.seed_effect * seeds
    powers = np.exp(np.concatenate([free, np.zeros((*free.shape[:-1], 1))], axis=-1))
    return powers / powers.sum(-1, keepdims=True)


def _steered(world: World, directions: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    groups = len(world.shares)
    followed = np.arange(groups) == directions[..., None]
    # Seeds push a steered image to and from its direction alike, which leaves the mean over directions on target.
    push = np.exp(world.seed_effect * seeds[..., :1])
    odds = np.where(followed, FOLLOWED * push, (1 - FOLLOWED) / (groups - 1))
    return odds / odds.sum(-1, keepdims=True)


def _outcomes(rng: np.random.Generator, chances: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    drawn = (rng.random((*shape, 1)) > chances.cumsum(-1)[..., :-1]).sum(-1)
    return np.where(rng.random(shape) < LOST, chances.shape[-1], drawn)


def _lattice(dimensions: int, points: int) -> np.ndarray:
    """Return normal quantiles at the midpoints of a lattice, (points ^ dimensions, dimensions)."""
    line = [NormalDist().inv_cdf((place + 0.5) / points) for place in range(points)]
    return np.array(list(product(line, repeat=dimensions)))


def _seeds(dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes and weights of Gauss and Hermite's quadrature over normal effects of seeds."""
    line, weights = np.polynomial.hermite_e.hermegauss(16)
    nodes = np.array(list(product(line, repeat=dimensions)))
    weights = np.array(list(product(weights / weights.sum(), repeat=dimensions))).prod(-1)
    return nodes, weights

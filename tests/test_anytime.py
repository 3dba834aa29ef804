"""Intervals that hold however often one looks: against independent arithmetic, a published library, and simulation."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import optimize, special

from fairsweep.measure.catalogue import connect
from fairsweep.store import Store
from support.synthetic import write_labels, write_plan

GENDER = {"gender": ("female", "male")}
TONES = {"skin_tone": ("light", "medium", "dark")}
ERROR = 0.05
# The chances of the groups in each direction that is dealt, in equal proportion; one row where nothing is steered.
CASES = {
    "free, .5": [[0.5, 0.5]],
    "free, .9": [[0.9, 0.1]],
    "free, .98": [[0.98, 0.02]],
    "free, thirds": [[1 / 3, 1 / 3, 1 / 3]],
    "free, .5 of three": [[0.5, 0.3, 0.2]],
    "free, .9 of three": [[0.9, 0.06, 0.04]],
    "free, .98 of three": [[0.98, 0.01, 0.01]],
    "quota, .5": [[0.93, 0.07], [0.07, 0.93]],
    "quota, .9": [[0.99, 0.01], [0.81, 0.19]],
    "quota, .98": [[1.0, 0.0], [0.96, 0.04]],
    "quota, thirds": [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]],
    "quota, .9 of three": [[1.0, 0.0, 0.0], [0.85, 0.15, 0.0], [0.85, 0.0, 0.15]],
    "quota, .98 of three": [[1.0, 0.0, 0.0], [0.97, 0.03, 0.0], [0.97, 0.0, 0.03]],
}

# What no group claims here is an image without a face.
LOST = {
    "free, .5": [[0.4, 0.4]],
    "quota, .5": [[0.6, 0.0], [0.0, 0.6]],
    "quota, .4": [[0.45, 0.05], [0.05, 0.75]],
    "quota, thirds": [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]],
}


@pytest.fixture(scope="module")
def macros(tmp_path_factory):
    """Return a connection that has every macro, over a store without images."""
    store = Store(tmp_path_factory.mktemp("empty"))
    return connect(store)


def bounds(macros, strata: np.ndarray, error: float = ERROR) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high of every group (rows x groups), for counts of rows x strata x groups and what has none."""
    distinct, where = np.unique(strata.reshape(len(strata), -1), axis=0, return_inverse=True)
    counts = distinct.reshape(-1, *strata.shape[1:]).tolist()
    listed = [[{"n": sum(own), "missing": lost, "counts": own} for *own, lost in row if sum(own)] for row in counts]
    macros.register("drawn", pa.table({"strata": listed}))
    ends = []
    for name in ("low", "high"):
        columns = ", ".join(f"anytime_{name}(strata, {i}, {error}::double)" for i in range(1, strata.shape[2]))
        rows = macros.execute(f"select {columns} from drawn").fetchall()
        ends.append(np.array(rows)[where.ravel()])
    return ends[0], ends[1]


def log_e(counts, chances) -> float:
    """Return ln of the Dirichlet-multinomial mixture over the likelihood of these chances, by scipy's functions."""
    k = np.asarray(counts, float)
    mixture = special.gammaln(k + 0.5).sum() - special.gammaln(0.5) * len(k)
    mixture += special.gammaln(len(k) / 2) - special.gammaln(k.sum() + len(k) / 2)
    return mixture - special.xlogy(k, chances).sum()


@pytest.mark.parametrize("counts", [(0, 1), (3, 5), (40, 0), (247, 3), (2, 3, 4), (9, 0, 1, 30)])
def test_the_evidence_is_that_of_a_dirichlet_multinomial(macros, counts):
    shares = np.arange(1, len(counts) + 1) / sum(range(1, len(counts) + 1))
    query = "select anytime_evidence($counts::bigint[], $shares)"
    value = macros.execute(query, {"counts": list(counts), "shares": shares.tolist()}).fetchall()[0][0]
    assert value == pytest.approx(log_e(counts, shares), abs=1e-9)


@pytest.mark.parametrize("counts", [(3, 5), (40, 2), (125, 125), (1, 9, 6)])
def test_the_bounds_of_free_draws_are_where_the_evidence_is_enough(macros, counts):
    low, high = bounds(macros, np.array([[[*counts, 0]]]))
    for i, k in enumerate(counts):
        pair = (k, sum(counts) - k)

        def beyond(p, pair=pair):
            return log_e(pair, (p, 1 - p)) + math.log(ERROR)

        share = k / sum(counts)
        assert low[0, i] == pytest.approx(optimize.brentq(beyond, 1e-9, share), abs=1e-7)
        assert high[0, i] == pytest.approx(optimize.brentq(beyond, share, 1 - 1e-9), abs=1e-7)


@pytest.mark.parametrize("strata", [[(15, 1), (2, 14)], [(30, 2), (7, 5)], [(5, 1, 2), (1, 6, 0), (2, 2, 9)]])
def test_the_bounds_of_strata_are_the_farthest_weighted_means(macros, strata):
    """Given each stratum's counts, the bound is the extreme of the weighted chances that an optimiser finds."""
    counts = np.array(strata, float)
    weights = counts.sum(1) / counts.sum()
    pairs = np.stack([counts[:, 0], counts.sum(1) - counts[:, 0]], 1)

    def room(chances):
        return -math.log(ERROR) - sum(log_e(pair, (p, 1 - p)) for pair, p in zip(pairs, chances, strict=True))

    low, high = bounds(macros, np.pad(counts.astype(int), ((0, 0), (0, 1)))[None])
    for sign, bound in ((1, low[0, 0]), (-1, high[0, 0])):
        best = optimize.minimize(
            lambda chances, sign=sign: sign * weights @ chances,
            pairs[:, 0] / pairs.sum(1),
            method="SLSQP",
            bounds=[(1e-6, 1 - 1e-6)] * len(pairs),
            constraints={"type": "ineq", "fun": room},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert bound == pytest.approx(sign * best.fun, abs=1e-5)


def test_the_view_stands_beside_share(tmp_path):
    """Forty images: 30 women of 40; the interval that allows for looking is wider, and refutes a half."""
    labels = [{"seed": seed, "gender": "female" if seed < 30 else "male"} for seed in range(40)]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    connection = connect(store)
    query = "select share, low, high, farthest, evidence from {} where \"group\" = 'female'"
    share, low, high, farthest, evidence = connection.execute(query.format("share_anytime")).fetchone()
    fixed = connection.execute(query.replace("farthest, evidence", "target").format("share")).fetchone()
    assert share == fixed[0] and low < fixed[1] and high > fixed[2]
    assert farthest == high - 0.5 and low > 0.5
    assert evidence == pytest.approx(log_e((30, 10), (0.5, 0.5))) and evidence > -math.log(ERROR)


def test_no_images_and_one_group_only(tmp_path):
    """Given no face at all, a share may be anything; given none of a group, its interval begins at 0."""
    for drawn, ends in ((["no_face"] * 3, {(0.0, 1.0)}), (["light"] * 30, None)):
        labels = [{"seed": seed, "skin_tone": label} for seed, label in enumerate(drawn)]
        store = Store(tmp_path / drawn[0])
        write_plan(store, labels, TONES)
        write_labels(store, labels, TONES)
        rows = connect(store).execute("select low, high from share_anytime order by position").fetchall()
        if ends:
            assert set(rows) == ends
        else:
            assert rows[0][1] == 1.0 and rows[1][0] == 0.0 and 0 < rows[1][1] < 0.5 < rows[0][0]


def test_dealt_directions_are_strata_of_their_own(tmp_path):
    """Given directions that are followed, the share is surer than from as many free images; evidence is null."""
    groups = GENDER["gender"]
    labels = [
        {"seed": seed, "setting": setting, "gender": groups[seed % 2]}
        | ({"direction": {"gender": groups[seed % 2]}} if setting == "fair" else {})
        for setting in ("none", "fair")
        for seed in range(40)
    ]
    store = Store(tmp_path)
    write_plan(store, labels, GENDER)
    write_labels(store, labels, GENDER)
    query = "select setting, high - low, evidence from share_anytime where position = 1 order by setting"
    (_, guided, none), (_, free, evidence) = connect(store).execute(query).fetchall()
    assert guided < 0.8 * free and none is None and evidence < 0


def simulate(chances: np.ndarray, sweeps: int, images: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts after every image (sweeps x images x directions x groups, and none) and the truth of each.

    Directions are dealt in shuffled blocks of one each. Within each, chances alternate by 0.6 of what room they have
    around their mean, as they do where a second attribute is steered as well.
    """
    chances = np.column_stack([chances, 1 - chances.sum(1)])
    directions, outcomes = chances.shape
    blocks = -(-images // directions)
    dealt = rng.permuted(np.tile(np.arange(directions), (sweeps, blocks, 1)), axis=2).reshape(sweeps, -1)[:, :images]
    own = chances[dealt]
    if directions > 1:
        move = np.zeros(outcomes)
        move[:2] = 1, -1
        room = 0.6 * np.minimum(chances[:, :2], 1 - chances[:, :2]).min(1)
        turn = rng.permuted(np.tile([1, -1], (sweeps, images // 2 + 1, 1)), axis=2).reshape(sweeps, -1)[:, :images]
        own = own + (turn * room[dealt])[..., None] * move
    shown = (rng.random((sweeps, images, 1)) > np.cumsum(own, 2)[..., :-1]).sum(2)
    counts = np.zeros((sweeps, images, directions, outcomes), np.int16)
    np.put_along_axis(counts.reshape(sweeps, images, -1), (dealt * outcomes + shown)[..., None], 1, axis=2)
    counts = counts.cumsum(1, dtype=np.int32)
    weights = counts.sum(3) / counts.sum((2, 3))[..., None]
    shown = (weights @ chances)[..., :-1]
    return counts, shown / shown.sum(-1, keepdims=True)


def missed(macros, case: str, sweeps: int, images: int, every: int, cases=CASES) -> float:
    """Return the proportion of sweeps in which some look's interval of some group misses its truth."""
    chances = np.array(cases[case])
    # A generator of its own for each case, from the case's place and 50.
    counts, truth = simulate(chances, sweeps, images, np.random.default_rng([50, list(cases).index(case)]))
    counts, truth = counts[:, every - 1 :: every], truth[:, every - 1 :: every]
    groups = chances.shape[1]
    low, high = bounds(macros, counts.reshape(-1, *counts.shape[2:]), ERROR / (groups if groups > 2 else 1))
    held = (low <= truth.reshape(-1, groups) + 1e-9) & (high >= truth.reshape(-1, groups) - 1e-9)
    return 1 - held.all(1).reshape(sweeps, -1).all(1).mean()


@pytest.mark.parametrize("case", ["free, .5", "free, .98 of three", "quota, .5"])
def test_looking_after_every_image_misses_seldom(macros, case):
    """300 sweeps of up to 60 images, a look after each: at most 5 % of the sweeps ever miss."""
    assert missed(macros, case, 300, 60, 1) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_looking_up_to_250_images_misses_seldom(macros, case):
    """2,000 sweeps of 250 images, a look after each (of three groups after every third or sixth): at most 5 % miss."""
    every = {(1, 2): 1, (2, 2): 1, (1, 3): 3, (3, 3): 6}[np.array(CASES[case]).shape]
    assert missed(macros, case, 2000, 250, every) <= 0.05


@pytest.mark.parametrize(
    "case", ["quota, .5", *(pytest.param(case, marks=pytest.mark.slow) for case in LOST if case != "quota, .5")]
)
def test_images_without_a_face_weigh_by_chance(macros, case):
    """80 sweeps of 960 images, ten looks: with the directions' weights as they were drawn, a third of them miss."""
    assert missed(macros, case, 80, 960, 96, LOST) <= 0.05


def test_fixed_intervals_miss_when_looked_at_often():
    """The same looks at Agresti and Coull's interval, which share has, miss in a quarter of the sweeps and more."""
    counts, _ = simulate(np.array(CASES["free, .5"]), 2000, 250, np.random.default_rng(51))
    n, z2 = np.arange(1, 251), special.ndtri(0.975) ** 2
    centre = (counts[:, :, 0, 0] + z2 / 2) / (n + z2)
    held = np.abs(centre - 0.5) <= np.sqrt(z2 * centre * (1 - centre) / (n + z2))
    assert 1 - held.all(1).mean() > 0.25

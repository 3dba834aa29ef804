"""The numeric macros against scipy, to 1e-6."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from fairsweep import shipped


@pytest.fixture(scope="module")
def macros():
    import duckdb

    connection = duckdb.connect()
    # None of a sweep that stops by looking, whose means are others.
    connection.execute("create table decisions(sweep varchar, kind varchar)")
    for name in (
        "parameters",
        "normal",
        "tails",
        "student",
        "wilson",
        "matrices",
        "strata",
        "means",
        "q_values",
        "divergences",
    ):
        connection.execute((shipped.path("metrics") / "staging" / f"{name}.sql").read_text())
    return connection


def column(connection, expression, **values):
    names = ", ".join(f"unnest(${name}::double[]) as {name}" for name in values)
    rows = connection.execute(
        f"select {expression} from (select {names})", {k: [float(x) for x in v] for k, v in values.items()}
    ).fetchall()
    return np.array([row[0] for row in rows], float)


def test_normal_cdf(macros):
    x = np.linspace(-12, 12, 4001)
    assert np.abs(column(macros, "normal_cdf(x)", x=x) - stats.norm.cdf(x)).max() < 1e-12


def test_normal_quantile(macros):
    p = np.concatenate([np.logspace(-300, -3, 500), np.linspace(0.001, 0.999, 999), 1 - np.logspace(-12, -3, 200)])
    assert np.abs(column(macros, "normal_quantile(p)", p=p) - stats.norm.ppf(p)).max() < 1e-9
    assert column(macros, "normal_quantile(p)", p=[0, 1]).tolist() == [-np.inf, np.inf]


def test_chi_square_tail(macros):
    x, df = (grid.ravel() for grid in np.meshgrid([0, 1e-6, 0.1, 1, 3.84, 10, 50, 200, 1500], range(1, 60)))
    got = column(macros, "chi_square_tail(x, df::bigint)", x=x, df=df)
    assert np.abs(got - stats.chi2.sf(x, df)).max() < 1e-9
    assert column(macros, "chi_square_tail(x, 2)", x=[np.inf])[0] == 0


def test_binomial_tail(macros):
    cases = [
        (k, n, p)
        for n in (1, 2, 7, 50, 1000, 42694)
        for p in (0.02, 0.3, 0.5, 0.97)
        for k in {0, 1, n // 3, n // 2, n // 2 + 1, round(n * p), n, min(n, round(n * p + 3 * n**0.5))}
    ]
    k, n, p = (np.array(values) for values in zip(*cases, strict=True))
    got = column(macros, "binomial_tail(k::bigint, n::bigint, p)", k=k, n=n, p=p)
    assert np.abs(got - stats.binom.sf(k - 1, n, p)).max() < 1e-6


def test_binomial_test_is_twice_the_smaller_tail(macros):
    got = column(macros, "binomial_test(k::bigint, 10, 0.5e0)", k=[0, 1, 5, 9])
    want = [stats.binomtest(k, 10, 0.5).pvalue for k in (0, 1, 5, 9)]
    assert got == pytest.approx(want, abs=1e-9)


def test_q_values_by_family(macros):
    """30 tests in three families, ties and a missing p-value among them (numpy seed 5), against scipy."""
    p_values = np.random.default_rng(5).beta(0.3, 1, 30).round(2)
    rows = [(place % 3, "x", None if place == 7 else float(p)) for place, p in enumerate(p_values)]
    macros.execute("create or replace table tests(a integer, b varchar, p_value double)")
    macros.executemany("insert into tests values (?, ?, ?)", rows)
    got = macros.execute("select a, p_value, q_value from q_values('tests', (a, b))").fetchall()
    for family in range(3):
        p, q = zip(*((p, q) for a, p, q in got if a == family and p is not None), strict=True)
        assert q == pytest.approx(stats.false_discovery_control(p).tolist())
    assert [row[2] for row in got if row[1] is None] == [None] and len(got) == 30


def test_wilson(macros):
    cases = [(k, n) for n in (1, 2, 10, 250, 10_000) for k in {0, 1, n // 3, n}]
    k, n = (np.array(values) for values in zip(*cases, strict=True))
    want = [stats.binomtest(int(a), int(b)).proportion_ci(0.95, "wilson") for a, b in cases]
    low = column(macros, "wilson_low(k, n, interval_z(0.95e0, 1))", k=k, n=n)
    high = column(macros, "wilson_high(k, n, interval_z(0.95e0, 1))", k=k, n=n)
    assert np.abs(low - [ci.low for ci in want]).max() < 1e-9
    assert np.abs(high - [ci.high for ci in want]).max() < 1e-9
    assert column(macros, "wilson_low(0, n, 2e0)", n=[0])[0] == 0
    assert column(macros, "wilson_high(0, n, 2e0)", n=[0])[0] == 1


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_matrix_inverse(macros, groups):
    rng = np.random.default_rng(groups)
    matrix = 0.6 * np.eye(groups) + 0.4 * rng.dirichlet(np.ones(groups), groups).T
    query = "select matrix_inverse($1::double[], $2::bigint)"
    (got,) = macros.execute(query, [matrix.ravel().tolist(), groups]).fetchone()
    assert np.abs(np.reshape(got, (groups, groups)) - np.linalg.inv(matrix)).max() < 1e-9


def test_nearest_distribution(macros):
    (got,) = macros.execute("select to_simplex([1.2, -0.2]::double[])").fetchone()
    assert got == pytest.approx([1, 0])
    (got,) = macros.execute("select to_simplex([0.9, 0.5, -0.4]::double[])").fetchone()
    assert got == pytest.approx([0.7, 0.3, 0])


def test_student_quantile(macros):
    """Exact for 1 and 2 degrees of freedom, within 1 % from 3 on and .1 % from 7 on."""
    df = np.array([1, 2, 3, 4, 5, 7, 9, 20, 100])
    got = column(macros, "student_quantile(interval_z(0.95e0, 1), df)", df=df)
    want = stats.t.ppf(0.975, df)
    assert got[:2] == pytest.approx(want[:2], rel=1e-9)
    assert got == pytest.approx(want, rel=0.01)
    assert got[df >= 7] == pytest.approx(want[df >= 7], rel=1e-3)


def test_strata_are_agresti_coull_and_price_bonett(macros):
    """One stratum is Agresti and Coull's interval; two are the weighted sum of their shrunken proportions."""
    z = stats.norm.ppf(0.975)

    def centre_and_variance(strata):
        query = """select centre, strata_variance(shrunk, 1, centre) from (
            select *, strata_centre(shrunk, 1) as centre from (
                select shrunken($1::struct(images bigint, n bigint, counts bigint[])[], $2, $3::double, len($1))
                    as shrunk
            ))"""
        packed = [{"images": images, "n": sum(k), "counts": k} for images, k in strata]
        (row,) = macros.execute(query, [packed, sum(row["n"] for row in packed), float(z)]).fetchall()
        return row

    centre = (9 + z**2 / 2) / (20 + z**2)
    half = z * (centre * (1 - centre) / (20 + z**2)) ** 0.5
    got, variance = centre_and_variance([(20, [9, 11])])
    assert (got, z * variance**0.5) == pytest.approx((centre, half))
    assert column(macros, "share_low(k, n, interval_z(0.95e0, 1))", k=[9], n=[20]) == pytest.approx([centre - half])
    assert column(macros, "share_high(k, n, interval_z(0.95e0, 1))", k=[9], n=[20]) == pytest.approx([centre + half])
    shares = np.array([(16 + z**2 / 4) / (16 + z**2 / 2), z**2 / 4 / (16 + z**2 / 2)])
    variance = 0.25 * (shares * (1 - shares)).sum() / (16 + z**2 / 2)
    assert centre_and_variance([(16, [16, 0]), (16, [0, 16])]) == pytest.approx((0.5, variance))
    # Lost images are chance too where they could have had either group.
    lossy = 0.25 * (0.25 - 0.8 * (shares - 0.5) ** 2).sum() / (16 + z**2 / 2)
    assert centre_and_variance([(20, [16, 0]), (20, [0, 16])]) == pytest.approx((0.5, lossy)) and lossy > variance


def values_of(values, prompts, blocks):
    """Rows of `means`: the value of each cell and prompt, and those without a block of seeds."""
    cells, _, seeds = values.shape
    parts = values.reshape(cells, prompts, blocks, seeds // blocks).sum(3)
    without = (values.sum(2)[..., None] - parts) / (seeds - seeds // blocks)
    names = [f"p{i}" for i in range(prompts)]
    whole = [
        (f"s{cell // 100}", cell, "m", name, None, value)
        for cell, line in enumerate(values.mean(2).tolist())
        for name, value in zip(names, line, strict=True)
    ]
    left = [
        (f"s{cell // 100}", cell, "m", name, block, value)
        for cell, lines in enumerate(without.tolist())
        for name, line in zip(names, lines, strict=True)
        for block, value in enumerate(line)
    ]
    columns = zip(*whole, *left, strict=True)
    return pa.table(
        dict(zip(("sweep", "cell", "metric", "prompt", "seed_block", "value"), map(list, columns), strict=True))
    )


def test_means_cover_both_of_their_truths(macros):
    """500 cells of 20 prompts x 64 seeds in 8 blocks (numpy seed 4): both 95 % intervals cover in 93-97 %.

    A value is the sum of a prompt's own effect, a seed's own effect and chance.
    """
    rng = np.random.default_rng(4)
    own = rng.normal(0, 0.5, (500, 20, 1))
    values = own + rng.normal(0, 1, (500, 1, 64)) + rng.normal(0, 1, (500, 20, 64))
    macros.register("crossed_frame", values_of(values, 20, 8))
    macros.execute(
        """create or replace view crossed as
        select *, null as low, null as high, null as floor, null as above, null as below, null as bias
        from crossed_frame"""
    )
    query = "select low, high, population_low, population_high, prompts from means('crossed') order by cell"
    rows = macros.execute(query).fetchall()
    assert np.array(macros.execute(query).fetchall()) == pytest.approx(np.array(rows)) and {row[4] for row in rows} == {
        20
    }
    low, high, population_low, population_high = np.array(rows)[:, :4].T
    truth = own.mean((1, 2))
    assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.97
    assert 0.93 < ((population_low <= 0) & (population_high >= 0)).mean() < 0.97


def _table(rows):
    import pyarrow as pa

    cells, prompts, values = zip(*rows, strict=True)
    return pa.table({"cell": pa.array(cells, pa.int32()), "prompt": prompts, "value": values})


def test_student(macros):
    t, df = (grid.ravel() for grid in np.meshgrid([0, 0.1, 1, 2, 5, 12], [1, 2, 3, 4, 7, 8, 31, 100, 400, 401, 5000]))
    got = column(macros, "student_tail(t, df::bigint)", t=t, df=df)
    # Hill's expansion takes over above 30 degrees of freedom.
    assert np.abs(got - 2 * stats.t.sf(t, df)).max() < 1e-10
    p, df = (grid.ravel() for grid in np.meshgrid([0.3, 0.05, 0.01, 0.0005, 1e-7], [1, 2, 3, 4, 5, 7, 31, 400, 5000]))
    got = column(macros, "student_bound(p, df::bigint)", p=p, df=df)
    assert np.abs(got / stats.t.isf(p / 2, df) - 1).max() < 1e-8


def test_few_prompts_have_no_interval_over_prompts_like_these(macros):
    values = np.random.default_rng(6).normal(size=(1, 9, 16))
    macros.register("few_frame", values_of(values, 9, 8))
    macros.execute(
        """create or replace view few as
        select *, null as low, null as high, null as floor, null as above, null as below, null as bias from few_frame"""
    )
    query = "select low < mean, high > mean, population_low, population_high from means('few')"
    (row,) = macros.execute(query).fetchall()
    assert row == (True, True, None, None)


@pytest.mark.parametrize(
    ("groups", "n"), [(2, 1), (2, 8), (2, 400), (3, 2), (3, 3), (3, 8), (3, 303), (4, 40), (5, 12)]
)
def test_noise_floors_of_equal_shares(macros, groups, n):
    """The exact means over all outcomes: to 1e-4 but for l2_discrepancy of three and more groups (.03), and above 100
    images per group for the least and the greatest count (.005)."""
    macros.execute("create or replace temp table group_counts as select ?::varchar[] as groups, ?::bigint as n", [
        [str(group) for group in range(groups)], n,
    ])  # fmt: skip
    sql = (shipped.path("metrics") / "staging" / "uniform_floors.sql").read_text()
    floors = macros.execute(f"with group_counts as (select *, n as floor_n from temp.group_counts) from ({sql}\n)")
    row = dict(zip([column[0] for column in floors.description], floors.fetchone(), strict=True))
    outcomes = np.array(list(combinations(range(n + groups - 1), groups - 1)))
    edges = np.pad(outcomes, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, n + groups - 1)))
    shares = (np.diff(edges) - 1) / n
    chances = stats.multinomial.pmf((shares * n).round(), n, [1 / groups] * groups)
    most, least = shares.max(1), shares.min(1)
    pairs = [abs(shares[:, i] - shares[:, j]) for i in range(groups) for j in range(i)]
    limit = 0.005 if groups > 2 and n > 100 * groups else 1e-4
    exact = {
        "parity_difference": (most - least, limit),
        "parity_ratio": (least / most, limit),
        "pairwise_bias": (np.mean(pairs, 0), 1e-9),
        "mean_absolute_deviation": (abs(shares - 1 / groups).mean(1), 1e-9),
        "l2_discrepancy": (((shares - 1 / groups) ** 2).sum(1) ** 0.5, 1e-9 if groups == 2 or n < 4 else 0.03),
    }
    for figure, (values, tolerance) in exact.items():
        assert row[figure] == pytest.approx(chances @ values, rel=tolerance, abs=1e-6), figure


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_no_entropy_is_too_low_by_more_than_its_bias(macros, n):
    """The exact bias of entropy and divergence from an even target, of n images, at any share of two groups."""
    k = np.arange(n + 1)
    entropies = column(macros, "normalised_entropy_of([k / n, 1 - k / n])", k=k, n=[n] * len(k))
    divergences = column(macros, "jensen_shannon_of([k / n, 1 - k / n], [0.5e0, 0.5e0])", k=k, n=[n] * len(k))
    shares = np.linspace(0.001, 0.999, 200)
    chances = stats.binom.pmf(k, n, shares[:, None])
    truth = column(macros, "normalised_entropy_of([p, 1 - p])", p=shares)
    apart = column(macros, "jensen_shannon_of([p, 1 - p], [0.5e0, 0.5e0])", p=shares)
    (bias,) = column(macros, "entropy_bias(2, n)", n=[n])
    too_low, too_far = truth - chances @ entropies, chances @ divergences - apart
    assert (too_low >= -1e-9).all() and too_low.max() <= bias <= 4 * too_low.max()
    assert (too_far >= -1e-9).all() and too_far.max() <= bias / 2


def test_a_mean_is_allowed_its_bias_on_the_side_where_it_pulls(macros):
    macros.register("few_frame", values_of(np.random.default_rng(6).normal(size=(1, 9, 16)), 9, 8))
    halves = []
    for bias in (0, 0.5, -0.5):
        macros.execute(
            f"""create or replace view biased as select *, null as low, null as high, null as floor, null as above,
                null as below, if(seed_block is null, {bias}, null) as bias from few_frame"""
        )
        halves += macros.execute("select mean - low, high - mean from means('biased')").fetchall()
    (low, high), up, down = halves
    assert up == pytest.approx((low + 0.5, high)) and down == pytest.approx((low, high + 0.5))

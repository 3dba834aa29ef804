"""The numeric macros against scipy, to 1e-6."""

import numpy as np
import pytest
from scipy import stats

from fairsweep.measure.metrics import metric_folders


@pytest.fixture(scope="module")
def macros():
    import duckdb

    connection = duckdb.connect()
    for name in ("parameters", "normal", "tails", "student", "wilson", "matrices", "bootstrap", "q_values"):
        connection.execute((metric_folders()[0] / "staging" / f"{name}.sql").read_text())
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


def test_bootstrap_is_deterministic_and_covers_the_mean(macros):
    """1,000 cells of 12 prompts each, normal values around 0 (numpy seed 3): 95 % intervals cover 0 in 92-98 %."""
    values = np.random.default_rng(3).normal(size=(1000, 12))
    rows = [(cell, f"p{prompt}", v) for cell, line in enumerate(values) for prompt, v in enumerate(line)]
    macros.execute("create or replace table numbers(cell integer, prompt varchar, value double)")
    macros.register("rows_frame", _table(rows))
    macros.execute("insert into numbers from rows_frame")
    macros.execute(
        """create or replace view clustered as
        select 's' || cell // 100 as sweep, cell, 'm' as metric, prompt, null as seed_block, value, null as low,
            null as high
        from numbers"""
    )
    query = "select cell, mean, low, high from bootstrap('clustered', replicates := 400) order by cell"
    first, second = (macros.execute(query).fetchall() for _ in range(2))
    assert first == second
    low, high = (np.array([row[place] for row in first]) for place in (2, 3))
    assert 0.92 < ((low <= 0) & (high >= 0)).mean() < 0.98


def test_bootstrap_resamples_seeds_that_all_prompts_share(macros):
    """1,000 cells of 20 prompts x 64 seeds in 8 blocks (numpy seed 4): 95 % intervals cover 0 in 92-98 %.

    A value is the sum of a prompt's own effect, a seed's own effect and chance; without the seeds it covers far less.
    """
    rng = np.random.default_rng(4)
    values = rng.normal(0, 0.5, (1000, 20, 1)) + rng.normal(0, 1, (1000, 1, 64)) + rng.normal(0, 1, (1000, 20, 64))
    blocks = values.reshape(1000, 20, 8, 8)
    without = (values.sum(2)[..., None] - blocks.sum(3)) / 56
    cells, prompts, seed_blocks = 1000, 20, 8
    rows = {
        "cell": np.r_[np.repeat(np.arange(cells), prompts), np.repeat(np.arange(cells), seed_blocks)],
        "prompt": [f"p{i}" for i in range(prompts)] * cells + [None] * cells * seed_blocks,
        "seed_block": [None] * prompts * cells + list(range(seed_blocks)) * cells,
        "value": np.r_[values.mean(2).ravel(), without.mean(1).ravel()],
    }
    import pyarrow as pa

    macros.register("crossed_frame", pa.table(rows))
    macros.execute(
        """create or replace view crossed as
        select 's' || cell // 100 as sweep, cell, 'm' as metric, prompt, seed_block, value, null::double as low,
            null::double as high
        from crossed_frame"""
    )
    macros.execute("create or replace view without_seeds as from crossed where prompt is not null")

    def coverage(source):
        query = f"select avg((low <= 0 and high >= 0)::int) from bootstrap('{source}', replicates := 400)"
        return macros.execute(query).fetchone()[0]

    assert 0.92 < coverage("crossed") < 0.98
    assert coverage("without_seeds") < 0.92


def _table(rows):
    import pyarrow as pa

    cells, prompts, values = zip(*rows, strict=True)
    return pa.table({"cell": pa.array(cells, pa.int32()), "prompt": prompts, "value": values})


def test_student(macros):
    t, df = (grid.ravel() for grid in np.meshgrid([0, 0.1, 1, 2, 5, 12], [1, 2, 3, 4, 7, 8, 31, 100, 400, 401, 5000]))
    got = column(macros, "student_tail(t, df::bigint)", t=t, df=df)
    # Wallace's approximation takes over above 400 degrees of freedom.
    assert np.abs(got - 2 * stats.t.sf(t, df)).max() < 2e-7
    p, df = (grid.ravel() for grid in np.meshgrid([0.05, 0.01, 0.0005], [1, 2, 7, 31, 400, 5000]))
    got = column(macros, "student_bound(p, df::bigint)", p=p, df=df)
    assert np.abs(got / stats.t.isf(p / 2, df) - 1).max() < 1e-5

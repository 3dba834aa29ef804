"""Data, encoder, unguided and guided pictures side by side: changes and verdicts against hand and scipy."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from fairsweep.pages import report
from fairsweep.store import Store
from support import synthetic
from support.checks import ask

JOBS = {"nurse": (0.7, 0.95, 0.5), "pilot": (0.3, 0.1, 0.5), "artist": (0.5, 0.5, 0.5), "chef": (0.6, 0.9, 0.2)}
N_DATA, N = 400, 200


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """A store whose shares are exact, of each prompt in the data, unguided and guided; and similarities."""
    store = Store(tmp_path_factory.mktemp("components"))

    def rows(model: str, setting: str, place: int, n: int) -> list[dict]:
        return [
            {"model": model, "setting": setting, "prompt": job, "seed": seed, "gender": group}
            for job, shares in JOBS.items()
            for seed in range(n)
            for group in ["female" if seed < round(shares[place] * n) else "male"]
        ]

    groups = {"gender": ("female", "male")}
    for sweep, labels in (
        ("world", rows("m", "none", 1, N) + rows("m", "fair", 2, N)),
        ("world-data", rows("corpus", "captions", 0, N_DATA)),
    ):
        synthetic.write_plan(store, labels, groups, sweep=sweep)
        synthetic.write_labels(store, labels, groups, sweep=sweep)
    texts = {job: f"a photo of the face of a {job}" for job in JOBS}
    shared = {"sweep": "world", "source": "corpus", "match": "captions", "data_sweep": "world-data", "n": N_DATA}
    store.write("matchings", "world", [shared | {"prompt": texts[job], "prompt_name": job} for job in JOBS])
    store.write(
        "encoder_similarities",
        "world",
        [
            {
                "sweep": "world",
                "encoder": "clip",
                "prompt": texts[job],
                "prompt_name": job,
                "attribute": "gender",
                "group": group,
                "position": position,
                "stimuli": "text",
                "stimulus": str(template),
                "similarity": 0.2 + 0.01 * template + (1 - position) * (0.1 * (shares[0] - 0.5) + 0.001 * template),
            }
            for job, shares in JOBS.items()
            for position, group in enumerate(groups["gender"])
            for template in range(3)
        ],
    )
    return store


def test_every_component_has_its_rows(store):
    query = """select component, name, versus, count(*) from components where sweep = 'world'
        group by all order by all"""
    assert ask(store.root, query) == [
        ("data", "corpus.captions", None, 8),
        ("encoder", "clip", None, 8),
        ("guided", "m fair", "m none", 8),
        ("pictures", "m none", "corpus.captions", 8),
    ]


def test_changes_are_those_of_the_shares_with_intervals_tests_and_verdicts(store):
    query = """select versus, prompt_name, value, change, change_low, change_high, p_value, q_value, verdict
        from components where "group" = 'female' and versus is not null order by all"""
    shares = """select sweep, setting, prompt_name, share, low, high from share where "group" = 'female'"""
    at = {row[:3]: row[3:] for row in ask(store.root, shares)}
    rows = ask(store.root, query)
    assert len(rows) == 8
    p_values: dict[str, list[float]] = {}
    for versus, job, value, change, low, high, p_value, _, _ in rows:
        guided = versus == "m none"
        later = at["world", "fair" if guided else "none", job]
        earlier = at["world", "none", job] if guided else at["world-data", "captions", job]
        sizes = (N, N) if guided else (N, N_DATA)
        assert value == later[0]
        assert change == pytest.approx(later[0] - earlier[0], abs=1e-12)
        assert low == pytest.approx(change - math.hypot(later[0] - later[1], earlier[2] - earlier[0]), abs=1e-12)
        assert high == pytest.approx(change + math.hypot(later[2] - later[0], earlier[0] - earlier[1]), abs=1e-12)
        counts = [[round(s * n), n - round(s * n)] for s, n in zip((later[0], earlier[0]), sizes, strict=True)]
        tails = [stats.fisher_exact(counts, side).pvalue for side in ("less", "greater")]
        assert p_value == pytest.approx(min(1, 2 * min(tails)), rel=1e-6, abs=1e-12)
        p_values.setdefault(versus, []).append(p_value)
    for versus, own in p_values.items():
        shown = [row[7] for row in rows if row[0] == versus]
        # Both groups of each prompt are in the family.
        oracle = stats.false_discovery_control([p for p in own for _ in range(2)])[::2]
        assert shown == pytest.approx(list(oracle), rel=1e-6, abs=1e-12)
    verdicts = {(row[0], row[1]): row[8] for row in rows}
    assert verdicts == {
        ("corpus.captions", "nurse"): "amplified",
        ("corpus.captions", "pilot"): "amplified",
        ("corpus.captions", "chef"): "amplified",
        ("corpus.captions", "artist"): "not decided",
        ("m none", "nurse"): "mitigated",
        ("m none", "pilot"): "mitigated",
        ("m none", "chef"): "mitigated",
        ("m none", "artist"): "not decided",
    }


def test_the_trend_over_prompts_is_that_of_scipy(store):
    query = """select versus, slope, slope_low, slope_high, r_squared, rank_correlation, rank_low, rank_high, prompts
        from component_trend where "group" = 'female' order by versus"""
    encoder, data = ask(store.root, query)
    assert (encoder[0], data[0], encoder[8], data[8]) == ("clip", "corpus.captions", 4, 4)

    def log_odds(share: float, n: int) -> float:
        return math.log((share * n + 0.5) / ((1 - share) * n + 0.5))

    x = [log_odds(shares[0], N_DATA) for shares in JOBS.values()]
    y = [log_odds(shares[1], N) for shares in JOBS.values()]
    fit = stats.linregress(x, y)
    half = stats.t.ppf(0.975, 2) * fit.stderr
    assert data[1:4] == pytest.approx((fit.slope, fit.slope - half, fit.slope + half), rel=1e-6)
    assert data[4] == pytest.approx(fit.rvalue**2, rel=1e-9)
    ranks = stats.spearmanr([s[0] for s in JOBS.values()], [s[1] for s in JOBS.values()]).statistic
    assert data[5] == pytest.approx(ranks, abs=1e-12)
    assert encoder[1:5] == (None, None, None, None)
    assert encoder[5] == pytest.approx(ranks, abs=1e-12)
    if abs(ranks) < 1 - 1e-9:
        spread = 1.959963984540054 * math.sqrt((1 + ranks**2 / 2) / 1)
        ends = np.tanh([math.atanh(ranks) - spread, math.atanh(ranks) + spread])
        assert data[6:8] == pytest.approx(tuple(ends), abs=1e-9)


@pytest.mark.slow
def test_the_report_draws_them_and_its_numbers_are_those_of_the_view(store):
    """A line's points, back from pixels to shares by those of the axis, are the rows of the view."""
    page = report.render(store, ["world"])
    svg = re.search(r'<section id="components">.*?(<svg.*?</svg>)', page, re.DOTALL)[1]
    ticks = [float(y) for y in re.findall(r'<g id="ytick_\d+">.*?<path d="M [\d.]+ ([\d.]+)', svg, re.DOTALL)]
    assert len(ticks) == 6  # 0 to 1 by fifths
    paths = re.findall(r'<path d="([^"]+)" clip-path[^>]*style="fill: none; stroke: var\(--c', svg)
    lines = [[float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path)] for path in paths]
    drawn = sorted([round((y - ticks[0]) / (ticks[-1] - ticks[0]), 3) for y in line] for line in lines)
    query = """select prompt_name,
        list(value order by case component when 'data' then 1 when 'pictures' then 3 else 4 end)
        filter (component <> 'encoder'), any_value(value) filter (component = 'encoder')
        from components where "group" = 'female' group by prompt_name"""
    rows = ask(store.root, query)
    widest = max(abs(association) for _, _, association in rows)
    shown = sorted([shares[0], 0.5 + 0.5 * association / widest, *shares[1:]] for _, shares, association in rows)
    assert len(drawn) == len(JOBS)
    for line, expected in zip(drawn, shown, strict=True):
        assert line == pytest.approx(expected, abs=2e-3)

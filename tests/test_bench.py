"""The benchmarks run to their end on small inputs; what they count is right, what they time is left open."""

import math

import pytest
import torch

from fairsweep.bench import explore, guidance, metrics, sweep
from fairsweep.bench.architectures import ARCHITECTURES, build
from fairsweep.errors import FairsweepError
from fairsweep.families import family_of
from fairsweep.portraits.defaults import FAIR

STEPS = FAIR["cooldown_steps"] + 1


def all_positive(figures: dict[str, float]) -> bool:
    return all(math.isfinite(value) and value > 0 for value in figures.values())


@pytest.fixture
def one_thread():
    """Compute in one thread: several that wait for one another crawl where other processes use the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_guidance_counts_the_rows_of_the_shipped_settings(one_thread):
    options = [option for option in guidance.OPTIONS if option != "compile"]
    figures = guidance.run("portraits", batch=2, steps=STEPS, repeats=1, options=options)
    assert all_positive(figures)
    assert figures["stock_rows_per_image"] == 2 * STEPS
    # The pair's two rows run from the first step to the cool-down, and not in the step after it.
    assert figures["wrapper_rows_per_image"] == 2 * STEPS + 2 * (STEPS - 1)
    assert {f"gain_of_{option.replace('-', '_')}" for option in options} <= figures.keys()
    speeds = {name: figures[f"{name}_images_per_second"] for name in ("wrapper", "sega_one_per_call")}
    assert figures["wrapper_over_sega_one_per_call"] == speeds["wrapper"] / speeds["sega_one_per_call"]


def test_guidance_names_what_it_does_not_know():
    with pytest.raises(FairsweepError, match="unknown architecture 'sd51'; did you mean 'sd15'"):
        guidance.run("sd51")
    with pytest.raises(FairsweepError, match="unknown option 'cached-texts'; did you mean 'cached-text'"):
        guidance.run("portraits", options=["cached-texts"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_of_a_known_family(name):
    # Without memory for the large ones; the small one's scheduler computes its steps at once.
    with torch.device("cpu" if name == "portraits" else "meta"):
        pipe = build(name)
    assert getattr(pipe, family_of(pipe).denoiser).num_parameters() > 1e6


def test_sweep(one_thread):
    figures = sweep.run(images=80, single=2)
    assert all_positive(figures)
    assert figures["sweep_over_one_per_call"] == figures["sweep"] / figures["one_per_call"]


def test_metrics():
    figures = metrics.run(labels=4_000, threads=1, repeats=1)
    assert all_positive(figures)
    assert figures["labels"] == 4_000


def test_explore():
    figures = explore.run(labels=50_000, size=4)
    assert all_positive(figures)

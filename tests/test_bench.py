"""The benchmarks run to their end on small inputs; what they count is right, what they time is left open."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch

from fairsweep.bench import calibration, dispatch, driver, explore, guidance, metrics, report, store, sweep
from fairsweep.bench.architectures import ARCHITECTURES, build
from fairsweep.classifiers import Label
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


@pytest.mark.slow
def test_guidance_counts_the_rows_of_the_shipped_settings(one_thread):
    options = [option for option in guidance.OPTIONS if option != "compile"]
    figures = guidance.run("portraits", batch=2, steps=STEPS, repeats=1, options=options)
    assert all_positive(figures)
    assert figures["stock_rows_per_image"] == 2 * STEPS
    # The pair's two rows run from the first step to the cool-down, and not in the step after it.
    assert figures["wrapper_rows_per_image"] == 2 * STEPS + 2 * (STEPS - 1)
    assert {f"gain_of_{option.replace('-', '_')}" for option in options} <= figures.keys()


def test_guidance_compares_images_per_second(one_thread, monkeypatch):
    """Ratios by hand from given seconds: four images in 2 s by the wrapper, one in 0.25 s or four in 8 s by SEGA."""
    seconds = {"stock": 1.0, "sega_one_per_call": 0.25, "sega_batch": 8.0, "wrapper": 2.0, "joined": 1.5}

    def given(bench, draws):
        bench.guided_rows = 16
        return {name: seconds[name] for name in draws}

    monkeypatch.setattr(guidance.Bench, "fastest", given)
    figures = guidance.run("portraits", batch=4, steps=2)
    assert figures["wrapper_images_per_second"] == 2.0
    assert figures["wrapper_over_sega_one_per_call"] == 0.5
    assert figures["wrapper_over_sega_batch"] == 4.0
    # 16 rows in 2 s, beside four rows an image: of the stock pipeline in 1 s, and of as many at once in 1.5 s.
    assert figures["rows_per_second_kept"] == 0.5
    assert figures["rows_per_second_kept_of_joined"] == 0.75


def test_the_fastest_of_the_counts_after_the_first(monkeypatch):
    """Two draws in turn: 9 s and 8 s to warm up, then 3 s, 5 s, 2 s and 7 s."""
    clock = iter([0, 9, 9, 17, 20, 23, 23, 28, 30, 32, 32, 39])
    monkeypatch.setattr(guidance.time, "perf_counter", lambda: next(clock))
    bench = guidance.Bench(build("portraits"), FAIR, batch=1, steps=1, repeats=2, size=None)
    order = []
    draws = {name: partial(order.append, name) for name in ("one", "other")}
    assert bench.fastest(draws) == {"one": 2, "other": 5}
    assert order == ["one", "other"] * 3


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


@pytest.mark.slow
def test_sweep(one_thread):
    figures = sweep.run(images=64, single=2)
    assert all_positive(figures)
    assert figures["images"] == 64


def test_a_sweep_is_compared_with_one_image_per_call_with_a_bare_loop_and_beside_others(monkeypatch):
    monkeypatch.setattr(sweep, "_one_per_call", lambda spec, images, device: 2.0)
    monkeypatch.setattr(sweep, "_bare_loop", lambda spec, store, device: 8.0)
    speeds = iter([6.0, 3.0])
    monkeypatch.setattr(sweep, "_sweep", lambda spec, store: {"sweep": next(speeds)})
    figures = sweep.run(images=80, busy=1)
    assert (figures["sweep_over_one_per_call"], figures["sweep_over_bare_loop"]) == (3.0, 0.75)
    assert (figures["sweep_beside_others"], figures["kept_beside_others"]) == (3.0, 0.5)


def test_a_classifier_misreads_as_often_as_it_says():
    """4,000 pictures of each gender (numpy seed 66), within three standard errors, and the same way each time."""
    rng = np.random.default_rng(66)
    for group, rate in calibration.ERRORS.items():
        pictures = [rng.bytes(16) for _ in range(4_000)]
        labels = [calibration.misread(Label("gender", group, 1.0, {}), picture) for picture in pictures]
        wrong = np.mean([label.label != group for label in labels])
        assert wrong == pytest.approx(rate, abs=3 * math.sqrt(rate * (1 - rate) / len(pictures)))
        assert labels == [calibration.misread(Label("gender", group, 1.0, {}), picture) for picture in pictures]
    other = Label("skin_tone", "female", 1.0, {})
    assert all(calibration.misread(other, picture) == other for picture in pictures)


@pytest.mark.slow
def test_calibration(ray_cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    table = calibration.run(["half-misread"], seeds=8, pilot=4, steps=3, results=tmp_path)
    cells = [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")]
    assert cells[0] == "gender 0.5 : 0.5, misread"
    # Of eight images the chance miss of a half is E|X / 8 - 1 / 2| = 35 / 256.
    assert cells[4] == f"{100 * 35 / 256:.1f}"
    assert re.fullmatch(r"[\d.]+ at 1\.5", cells[1]) and sum(map(int, re.findall(r"(\d+) at", cells[5]))) == 14
    assert cells[6].endswith(f" + {14 * 8}")
    with pytest.raises(FairsweepError, match="no case 'halves'; did you mean 'half'"):
        calibration.run(["halves"])


def test_metrics():
    figures = metrics.run(labels=4_000, threads=1, repeats=1, views=["mcnemar"])
    assert all_positive(figures)
    assert {"mcnemar_alone_seconds", "mcnemar_alone_gib"} <= figures.keys()
    assert figures["labels"] == 4_000


def test_explore():
    figures = explore.run(labels=50_000, size=4)
    assert all_positive(figures)


@pytest.mark.slow
def test_a_report_of_many_settings():
    figures = report.run(settings=4, prompts=3, seeds=16)
    assert all_positive(figures)
    assert figures["images"] == 192


@pytest.mark.slow
def test_a_large_store_is_asked():
    figures = store.run(images=2_000, shards=20)
    assert all_positive(figures)
    assert figures["image_files"] == 4


@pytest.mark.slow
def test_the_memory_of_a_driver():
    figures = driver.run(images=320)
    assert (figures["images"], figures["labelled"]) == (320, 320)
    assert all(figures[f"mib_after_{number}_of_4"] > 0 for number in range(1, 5))
    assert figures["peak_mib"] >= figures["mib_after_4_of_4"]


def test_dispatch_hands_every_batch_out():
    figures = dispatch.run(actors=3, batches=4, seconds=0.05)
    assert all_positive(figures)
    assert figures["tasks"] == 12
    assert figures["use_of_the_actors"] <= 1

"""`fairsweep bench gpu`: what of it needs no card runs here on tiny pipelines, to work on the day there is a card."""

import json

import pytest

from fairsweep import cli
from fairsweep.bench import gpu
from fairsweep.bench.architectures import ARCHITECTURES
from fairsweep.bench.gpu import parts, results, small
from fairsweep.errors import FairsweepError, ModelLoadError
from support import tiny


@pytest.mark.slow
def test_every_part_runs_and_those_that_need_a_card_are_left_out(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "sd15", lambda depth: tiny.build_sd())
    monkeypatch.setitem(ARCHITECTURES, "sdxl", lambda depth: tiny.build_sdxl())
    card = gpu.Card(device="cpu", sizes={"sd15": 32, "sdxl": 32}, batches=(1, 2, 3), steps=2, clip="ViT-B-32")
    lines: list[str] = []
    findings = gpu.run(lambda finding: lines.append(finding.line()), seconds=600, card=card)
    assert [finding.part for finding in findings] == [part.name for part in gpu.PARTS]
    assert [json.loads(line)["verdict"] for line in lines] == [finding.verdict for finding in findings]
    for part, finding in zip(gpu.PARTS, findings, strict=True):
        assert (finding.verdict == "skipped") == part.needs_card, finding
        assert finding.verdict != "failed", finding
    verdicts = {finding.part: finding for finding in findings}
    assert verdicts["a failed batch holds no memory"].figures["calls"] == 5  # three, two, and each of these
    for part in ("a failed batch holds no memory", "out of memory while decoding", "SDXL beside CLIP in 22 GiB"):
        assert verdicts[part].verdict == "holds"
    speed = verdicts["speed, sd15"].figures
    for batch in card.batches:
        assert all(speed[f"{way}_images_per_second_{batch}"] > 0 for way in ("stock", "sega_batch", "wrapper"))


def test_a_part_that_fails_costs_itself_and_what_there_is_no_time_for_is_left_out(monkeypatch):
    def fail(card):
        raise ValueError("a kernel is missing")

    chosen = (gpu.Part("one", fail), gpu.Part("other", results.environment))
    monkeypatch.setattr(parts, "PARTS", chosen)
    one, other = gpu.run(lambda finding: None, card=gpu.Card(device="cpu"))
    assert (one.verdict, one.figures["reason"]) == ("failed", "ValueError: a kernel is missing")
    assert other.verdict == "figures" and other.figures["torch"]
    late = gpu.run(lambda finding: None, seconds=1, card=gpu.Card(device="cpu"))
    assert {finding.verdict for finding in late} == {"skipped"}


def test_parts_are_chosen_by_name(monkeypatch):
    chosen = gpu.run(lambda finding: None, card=gpu.Card(device="cpu"), only=("environ", "24 GiB, quantize fp8"))
    assert [finding.part for finding in chosen] == ["environment", "FLUX.1 dev in 24 GiB, quantize fp8"]
    with pytest.raises(FairsweepError, match="bench gpu has no part 'enviroment': environment, the wrapper"):
        gpu.run(lambda finding: None, card=gpu.Card(device="cpu"), only=("enviroment",))


def test_each_way_to_fit_a_small_card_draws(monkeypatch):
    """All but four bits, which no CPU has: that way alone says why."""
    monkeypatch.setitem(ARCHITECTURES, "flux-dev", lambda depth: tiny.build_flux())
    monkeypatch.setattr(small, "t5", lambda layers: tiny.build_flux().text_encoder_2)
    card = gpu.Card(device="cpu", sizes={"flux-dev": 32})
    for way in small.WAYS:
        if "nf4" in way:
            with pytest.raises(ModelLoadError, match="nf4 needs a GPU"):
                small.fits(card, way)
        else:
            said, figures = small.fits(card, way)
            assert said == "holds" and figures["step_s"] > 0 and figures["load_s"] > 0


def test_without_a_card_it_is_one_line(capsys):
    assert cli.run(["bench", "gpu"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: bench gpu needs an NVIDIA card: no usable CUDA")

"""Large models on small cards: variants, quantised weights, parts on the host."""

import numpy as np
import pytest
import torch

from fairsweep.errors import ModelLoadError, SpecError
from fairsweep.guidance import Conditioning, toward
from fairsweep.pipelines import load
from fairsweep.pipelines.fitting import quantization
from fairsweep.plan import possible
from fairsweep.plan.identity import begin, finish
from fairsweep.plan.plan import write_plan
from fairsweep.spec import ModelSpec, SweepSpec
from fairsweep.store import Store
from support import tiny, zoo
from support.specs import small_sweep

EDIT = toward("female person", "male person", scale=20.0, threshold=0.5, warmup_steps=1)


def spec(source, **options):
    return ModelSpec(name="m", source=str(source), steps=3, guidance_scale=5.0, **options)


def latents(pipeline, edit=EDIT):
    return pipeline.denoise([Conditioning("a nurse", edit=edit), Conditioning("a teacher")], [1, 2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sd3")
    tiny.build_sd3().save_pretrained(path)
    return path


def test_a_variant_alone_is_enough(folder, tmp_path):
    """A repository that holds fp16 files only; without the variant the line says what is missing."""
    load(spec(folder), "cpu").pipe.to(torch.float16).save_pretrained(tmp_path, variant="fp16")
    with pytest.raises(ModelLoadError, match=r"no file named .* name it, as in variant: fp16"):
        load(spec(tmp_path), "cpu")
    pictures = load(spec(tmp_path, variant="fp16"), "cpu").generate([Conditioning("a nurse")], [1])
    stock = load(spec(folder), "cpu").generate([Conditioning("a nurse")], [1])
    assert np.abs(np.asarray(pictures[0], int) - np.asarray(stock[0], int)).max() < 16


@pytest.mark.parametrize(("quantize", "off"), [("int8", 0.1), ("fp8", 0.5)])
def test_quantised_weights(folder, quantize, off):
    """Real kernels on the CPU: smaller weights, pictures near those of whole ones and not the same; edits act."""
    whole, small = load(spec(folder), "cpu"), load(spec(folder, quantize=quantize), "cpu")
    for part in (small.pipe.transformer, small.pipe.text_encoder):
        assert any(type(weight.data).__module__.startswith("torchao.") for weight in part.parameters())
    # Of the unguided image: a threshold makes a small difference a larger one.
    moved = tiny.relative(latents(small)[1], latents(whole)[1])
    assert 0 < moved < off
    assert tiny.relative(latents(small)[0], latents(small, None)[0]) > 0.01


def test_four_bits_need_a_card(folder):
    with pytest.raises(ModelLoadError, match="quantize nf4 needs a GPU: use int8 on this machine"):
        load(spec(folder, quantize="nf4"), "cpu")
    pytest.importorskip("bitsandbytes")
    mapping = quantization(spec(folder, quantize="nf4"), torch.device("cuda"))["quantization_config"].quant_mapping
    assert mapping["transformer"].bnb_4bit_quant_type == mapping["text_encoder"].bnb_4bit_quant_type == "nf4"


def test_ids_hold_what_moves_pixels(folder):
    def made(**options):
        return finish(begin(spec(folder, **options), Conditioning("a nurse")), 1)

    assert made(offload="model") == made() == made(offload="sequential")
    assert len({made(), made(quantize="int8"), made(quantize="nf4"), made(variant="fp16")}) == 4


def test_a_missing_package_is_named_before_a_run(tmp_path, monkeypatch):
    data = small_sweep(tmp_path / "model")
    data["models"][0]["quantize"] = "nf4"
    monkeypatch.setattr(possible, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"quantize nf4 needs the package bitsandbytes: pip install 'fairsweep\[qua"):
        write_plan(SweepSpec.model_validate(data), Store(tmp_path / "store"))


@pytest.mark.parametrize("name", ["HunyuanDiTPipeline", "LongCatImagePipeline"])
def test_a_class_that_reads_weights_past_their_modules_is_refused(name, tmp_path):
    """Shown on a card: what waits on the host in parts is not there when such a class reads it."""
    zoo.build(name).save_pretrained(tmp_path)
    with pytest.raises(ModelLoadError, match=f"{name} does not work with offload sequential: take another"):
        load(spec(tmp_path, offload="sequential"), "cpu")


def test_a_single_file_takes_neither(tmp_path):
    (tmp_path / "m.safetensors").touch()
    with pytest.raises(ModelLoadError, match="a single file is loaded as it is: give a folder or a Hub id"):
        load(spec(tmp_path / "m.safetensors", quantize="int8"), "cpu")

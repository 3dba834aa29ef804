"""What no CPU shows, on the zoo's tiny pipelines: skipped where there is no NVIDIA card."""

import pytest
import torch

from fairsweep.errors import ModelLoadError
from fairsweep.families import FAMILIES, REFUSED
from fairsweep.guidance import Conditioning
from fairsweep.registry import find
from support import zoo
from support.tiny import relative
from support.zoo_sweeps import EDITS, NAMES, SEEDS, latents, load_from

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA card")
GUIDED = [name for name in NAMES if name not in REFUSED]
NOBODY = [None] * len(EDITS)
EVERY = range(len(EDITS))


@pytest.fixture(scope="module", params=GUIDED)
def saved(request, tmp_path_factory):
    """A class's name, and the folder of its files."""
    folder = tmp_path_factory.mktemp(request.param)
    zoo.build(request.param).save_pretrained(folder)
    return request.param, folder


def kept(guided, unguided) -> list[bool]:
    """Tell which images have every bit that they have without edits."""
    return [torch.equal(one, other) for one, other in zip(guided, unguided, strict=True)]


def refused(name, folder, **option) -> bool:
    """Tell whether a class is known not to work with an option, and see that it says so."""
    (value,) = option.values()
    if value not in find(name, FAMILIES, "pipeline family").unfit:
        return False
    with pytest.raises(ModelLoadError, match="does not work with"):
        load_from(folder, name, "cuda", **option)
    return True


def test_float32_is_the_cpus(saved):
    """Near the CPU's to rounding; unguided images keep their bits beside guided ones; alone as in a batch."""
    name, folder = saved
    here = load_from(folder, name, "cuda")
    unguided, together = latents(here, EVERY, NOBODY), latents(here, EVERY)
    assert relative(unguided.cpu(), latents(load_from(folder, name, "cpu"), EVERY, NOBODY)) < 1e-3
    assert kept(together, unguided) == [edit is None for edit in EDITS]
    for place in EVERY:
        assert relative(latents(here, [place])[0], together[place]) < 1e-3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "tf32"])
def test_every_type_makes_pictures(saved, dtype):
    name, folder = saved
    here = load_from(folder, name, "cuda", dtype=dtype)
    unguided, together = latents(here, EVERY, NOBODY), latents(here, EVERY)
    assert torch.isfinite(together).all()
    assert kept(together, unguided) == [edit is None for edit in EDITS]
    pictures = here.decode(together)
    assert all(low < high for picture in pictures for low, high in picture.getextrema())


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_parts_that_wait_on_the_host_change_nothing(saved, offload):
    name, folder = saved
    if refused(name, folder, offload=offload):
        return
    whole, here = load_from(folder, name, "cuda"), load_from(folder, name, "cuda", offload=offload)
    assert relative(latents(here, EVERY), latents(whole, EVERY)) < 1e-3
    assert here.generate([Conditioning("a nurse", edit=EDITS[1])], SEEDS[:1])[0].getextrema()


@pytest.mark.parametrize(("quantize", "off"), [("int8", 0.2), ("fp8", 0.6), ("nf4", 0.9)])
def test_quantised_weights_draw_and_are_guided(saved, quantize, off):
    name, folder = saved
    if refused(name, folder, quantize=quantize):
        return
    whole, here = (load_from(folder, name, "cuda", dtype="bfloat16", **more) for more in ({}, {"quantize": quantize}))
    unguided, together = latents(here, EVERY, NOBODY), latents(here, EVERY)
    assert 0 < relative(unguided, latents(whole, EVERY, NOBODY)) < off
    assert kept(together, unguided) == [edit is None for edit in EDITS]

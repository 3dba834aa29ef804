"""Loading models, and turning conditionings and seeds into images."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline

from fairsweep.builtin import resolve_source
from fairsweep.errors import FairsweepError, ModelLoadError
from fairsweep.families import FAMILIES
from fairsweep.guidance import Conditioning, fair_guidance, toward
from fairsweep.pipelines import load
from fairsweep.spec import ModelSpec
from support import tiny
from support.single_file import save_as_single_file

# So that every edit moves its image by more than two images that should be equal may differ.
STRONG = {"scale": 20.0, "threshold": 0.5, "warmup_steps": 1}
CONDITIONINGS = [
    Conditioning("a photo of a nurse"),
    Conditioning("a firefighter", "old person", toward("female person", "male person", **STRONG)),
    Conditioning("a photo of a nurse", edit=toward("dark person", "light person", momentum_scale=0.0, **STRONG)),
]
SEEDS = [3, 4, 5]
BUILD = {
    "stable-diffusion": tiny.build_sd,
    "stable-diffusion-xl": tiny.build_sdxl,
    "stable-diffusion-3": tiny.build_sd3,
    "flux": lambda: tiny.build_flux(distilled=False),
}


def spec(source, **options):
    options = {"steps": 6, "guidance_scale": 5.0, "width": 32, "height": 32} | options
    return ModelSpec(name="tiny", source=str(source), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sd")
    tiny.build_sd().save_pretrained(path)
    return path


def pixels(images):
    return np.stack([np.asarray(image, dtype=int) for image in images])


@pytest.mark.parametrize("family", BUILD)
def test_an_edit_of_nothing_changes_no_pixel(family, tmp_path):
    """The numeric floor of whatever compares a guided image with its unguided one: a scale of 0, in the same batch."""
    BUILD[family]().save_pretrained(tmp_path)
    pipeline = load(spec(tmp_path, steps=2), "cpu")
    nothing = toward("female person", "male person", scale=0.0)
    edited = pipeline.generate([Conditioning("a nurse", edit=nothing), CONDITIONINGS[0]], SEEDS[:2])
    plain = pipeline.generate([Conditioning("a nurse"), CONDITIONINGS[0]], SEEDS[:2])
    assert (pixels(edited) == pixels(plain)).all()


@pytest.mark.parametrize("family", BUILD)
def test_generate_is_the_stock_pipeline_with_guidance(family, tmp_path):
    """A mixed batch equals each image alone (2 of 255 at most) and the pipeline called by hand."""
    BUILD[family]().save_pretrained(tmp_path)
    pipeline = load(spec(tmp_path), "cpu")
    assert pipeline.family == family
    assert pipeline.device == torch.device("cpu")
    together = pixels(pipeline.generate(CONDITIONINGS, SEEDS))
    alone = [pipeline.generate([c], [seed])[0] for c, seed in zip(CONDITIONINGS, SEEDS, strict=True)]
    assert abs(together - pixels(alone)).max() <= 2
    unguided = pixels(pipeline.generate([Conditioning(c.prompt, c.negative_prompt) for c in CONDITIONINGS], SEEDS))
    moved = abs(together - unguided).max((1, 2, 3))
    assert moved[0] <= 2
    assert (moved[1:] > 10).all()
    # Without a negative prompt the call by hand is the same for every family.
    plain = [Conditioning(c.prompt, edit=c.edit) for c in CONDITIONINGS]
    call = {"guidance_scale": 5.0}
    if family == "flux":
        call = {"true_cfg_scale": 5.0, "negative_prompt": [""] * 3}
    with fair_guidance(pipeline.pipe, [c.edit for c in plain]):
        by_hand = pipeline.pipe(
            [c.prompt for c in plain],
            num_inference_steps=6,
            width=32,
            height=32,
            generator=[torch.Generator().manual_seed(seed) for seed in SEEDS],
            **call,
        ).images
    assert abs(pixels(pipeline.generate(plain, SEEDS)) - pixels(by_hand)).max() <= 2


def test_a_text_is_encoded_once(folder):
    """Two prompts, two negative ones (one of them none), four concepts, and a trial of how texts are counted."""
    pipeline, seen = load(spec(folder), "cpu"), []
    pipeline.pipe.text_encoder.register_forward_hook(lambda *_: seen.append(1))
    pipeline.generate(CONDITIONINGS, SEEDS)
    assert len(seen) == 2 + 2 + 4 + 1
    pipeline.generate(CONDITIONINGS, SEEDS)
    assert len(seen) == 2 + 2 + 4 + 1


def test_scheduler_and_dtype(folder):
    pipeline = load(spec(folder, scheduler="EulerDiscreteScheduler", dtype="bfloat16"), "cpu")
    assert type(pipeline.pipe.scheduler).__name__ == "EulerDiscreteScheduler"
    assert pipeline.pipe.unet.dtype == torch.bfloat16
    assert pipeline.generate(CONDITIONINGS[:1], SEEDS[:1])[0].size == (32, 32)


def test_a_single_file_makes_the_images_of_its_folder(folder, tmp_path):
    file = tmp_path / "tiny.safetensors"
    save_as_single_file(load(spec(folder), "cpu").pipe, file)
    from_file = load(spec(file, config=str(folder)), "cpu").generate(CONDITIONINGS, SEEDS)
    assert np.array_equal(pixels(from_file), pixels(load(spec(folder), "cpu").generate(CONDITIONINGS, SEEDS)))
    with pytest.raises(ModelLoadError, match=r"the configuration of .*give its folder as the model's config"):
        load(spec(file), "cpu")


def test_distilled_flux_refuses_a_negative_prompt(tmp_path):
    tiny.build_flux().save_pretrained(tmp_path)
    with pytest.raises(FairsweepError, match="takes no negative prompt"):
        load(spec(tmp_path), "cpu").generate(CONDITIONINGS, SEEDS)


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("/nowhere", {}, "the folder /nowhere does not exist: give a diffusers folder or a Hub id"),
        ("{folder}/vae", {}, "holds no model_index.json"),
        ("/nowhere.safetensors", {}, "the file /nowhere.safetensors does not exist"),
        ("builtin:portrait", {}, "no built-in model 'builtin:portrait'; did you mean 'builtin:portraits'"),
        pytest.param(
            "{folder}",
            {"scheduler": "DPMSolverSDEScheduler"},
            "DPMSolverSDEScheduler needs torchsde: install it, or take another",
            marks=pytest.mark.skipif(find_spec("torchsde") is not None, reason="torchsde is installed"),
        ),
        ("{folder}", {"scheduler": "DDIMSchedular"}, "no scheduler 'DDIMSchedular'.*did you mean 'DDIMScheduler'"),
        (
            "{folder}",
            {"pipeline": "StableDiffusionImg2ImgPipeline"},
            "StableDiffusionImg2ImgPipeline starts from an image, and a sweep makes images from text",
        ),
        ("not/fetched", {"pipeline": "StableDiffusionXLImg2ImgPipeline"}, "starts from an image"),
        ("{folder}", {"pipeline": "FluxPipline"}, "unknown pipeline 'FluxPipline'; did you mean 'FluxPipeline'"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(folder, source, options, reason):
    with pytest.raises(ModelLoadError, match=reason):
        load(spec(source.format(folder=folder), **options), "cpu")


def test_a_folder_of_image_to_image_says_so_too(folder, tmp_path):
    StableDiffusionImg2ImgPipeline.from_pipe(load(spec(folder), "cpu").pipe).save_pretrained(tmp_path)
    with pytest.raises(ModelLoadError, match="model tiny: StableDiffusionImg2ImgPipeline starts from an image"):
        load(spec(tmp_path), "cpu")


class _Refusing(BaseHTTPRequestHandler):
    """Answer as the Hub does where a model cannot be had: the kind of refusal stands in a header."""

    def do_GET(self):
        codes = {"gated": (403, "GatedRepo"), "absent": (404, "RepoNotFound"), "norevision": (404, "RevisionNotFound")}
        status, code = next(answer for word, answer in codes.items() if word in self.path)
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on loopback; tests that need it out of reach close it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("somebody/gated", "somebody/gated is gated: accept its licence on its Hub page, then set HF_TOKEN"),
        ("somebody/absent", "somebody/absent is not on the Hub, or is private: check the id, or set HF_TOKEN"),
        ("somebody/norevision", "has no such revision: give a branch, a tag or a commit of it"),
    ],
)
def test_a_model_that_the_hub_refuses_says_why(hub, source, reason):
    with pytest.raises(ModelLoadError, match=reason):
        load(spec(source), "cpu")


def test_without_the_hub_a_model_says_what_to_do(hub):
    hub.socket.close()
    with pytest.raises(ModelLoadError, match="cannot be fetched, the Hub is out of reach: download it beforehand"):
        load(spec("somebody/absent"), "cpu")


def test_builtin_source():
    assert resolve_source("builtin:portraits").endswith("portraits/weights/pipeline")
    assert resolve_source("some/model") == "some/model"
    assert "StableDiffusionXLImg2ImgPipeline" in FAMILIES

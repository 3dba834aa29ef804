"""Loading diffusers pipelines, and what differs between their families."""

from pathlib import Path

from fairsweep.errors import FairsweepError, ModelLoadError
from fairsweep.registry import find
from fairsweep.spec_errors import near

BUILTIN = {"builtin:portraits": Path(__file__).resolve().parents[1] / "portraits" / "weights" / "pipeline"}

FAMILIES = {
    "StableDiffusionPipeline": "fairsweep.pipelines.stable_diffusion:StableDiffusion",
    "StableDiffusionImg2ImgPipeline": "fairsweep.pipelines.stable_diffusion:StableDiffusion",
    "StableDiffusionXLPipeline": "fairsweep.pipelines.stable_diffusion_xl:StableDiffusionXL",
    "StableDiffusionXLImg2ImgPipeline": "fairsweep.pipelines.stable_diffusion_xl:StableDiffusionXL",
    "StableDiffusion3Pipeline": "fairsweep.pipelines.stable_diffusion_3:StableDiffusion3",
    "FluxPipeline": "fairsweep.pipelines.flux:Flux",
}


def family_of(pipe):
    """Return the family of a diffusers pipeline, by its class or a class that it derives from."""
    for kind in type(pipe).__mro__:
        if kind.__name__ in FAMILIES:
            return find(FAMILIES[kind.__name__], {}, "pipeline family")()
    raise FairsweepError(
        f"{type(pipe).__name__} has no known denoiser; known: {', '.join(FAMILIES)}. To add a family, write "
        "a subclass of fairsweep.pipelines.base.Family and a row in fairsweep.pipelines.FAMILIES"
    )


def load(model, device=None):
    """Load the pipeline of a ModelSpec onto a device; see `fairsweep.pipelines.load.load`."""
    from fairsweep.pipelines.loading import load_pipeline

    return load_pipeline(model, device)


def resolve_source(source: str) -> str:
    """Return the folder of a built-in model, and any other source as it is."""
    if not source.startswith("builtin:"):
        return source
    if source not in BUILTIN:
        raise ModelLoadError(f"no built-in model {source!r}{near(source, BUILTIN)}")
    return str(BUILTIN[source])

"""What differs between families of diffusers pipelines, one file each."""

from diffusers import DiffusionPipeline

from fairsweep.errors import FairsweepError
from fairsweep.families.base import Family
from fairsweep.registry import find

FAMILIES = {
    "StableDiffusionPipeline": "fairsweep.families.stable_diffusion:StableDiffusion",
    "StableDiffusionImg2ImgPipeline": "fairsweep.families.stable_diffusion:StableDiffusion",
    "StableDiffusionXLPipeline": "fairsweep.families.stable_diffusion_xl:StableDiffusionXL",
    "StableDiffusionXLImg2ImgPipeline": "fairsweep.families.stable_diffusion_xl:StableDiffusionXL",
    "StableDiffusion3Pipeline": "fairsweep.families.stable_diffusion_3:StableDiffusion3",
    "FluxPipeline": "fairsweep.families.flux:Flux",
}


def family_of(pipe: DiffusionPipeline) -> Family:
    """Return the family of a diffusers pipeline, by its class or a class that it derives from.

    Raises FairsweepError for one that stands in no row of FAMILIES.
    """
    for kind in type(pipe).__mro__:
        if kind.__name__ in FAMILIES:
            family: type[Family] = find(kind.__name__, FAMILIES, "pipeline family")
            return family()
    raise FairsweepError(
        f"{type(pipe).__name__} has no known denoiser; known: {', '.join(FAMILIES)}. To add a family, write "
        "a subclass of fairsweep.families.base.Family and a row in fairsweep.families.FAMILIES"
    )

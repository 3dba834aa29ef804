"""What differs between families of diffusers pipelines and no trace of a call can tell, one file each."""

from typing import TYPE_CHECKING

from fairsweep.errors import FairsweepError
from fairsweep.registry import find

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from fairsweep.families.base import Family

FAMILIES = {
    "StableDiffusionPipeline": "fairsweep.families.stable_diffusion:StableDiffusion",
    "StableDiffusionImg2ImgPipeline": "fairsweep.families.stable_diffusion:StableDiffusion",
    "StableDiffusionXLPipeline": "fairsweep.families.stable_diffusion_xl:StableDiffusionXL",
    "StableDiffusionXLImg2ImgPipeline": "fairsweep.families.stable_diffusion_xl:StableDiffusionXL",
    "StableDiffusion3Pipeline": "fairsweep.families.stable_diffusion_3:StableDiffusion3",
    "StableDiffusion3Img2ImgPipeline": "fairsweep.families.stable_diffusion_3:StableDiffusion3",
    "FluxPipeline": "fairsweep.families.flux:Flux",
    "FluxImg2ImgPipeline": "fairsweep.families.flux:Flux",
    "LatentConsistencyModelPipeline": "fairsweep.families.general:General",
    "CogView4Pipeline": "fairsweep.families.general:General",
    "PixArtSigmaPipeline": "fairsweep.families.masked:Masked",
    "SanaPipeline": "fairsweep.families.masked:Masked",
    "SanaSprintPipeline": "fairsweep.families.masked:SanaSprint",
    "AuraFlowPipeline": "fairsweep.families.masked:Masked",
    "Lumina2Pipeline": "fairsweep.families.masked:Masked",
    "ChromaPipeline": "fairsweep.families.chroma:Chroma",
    "ZImagePipeline": "fairsweep.families.z_image:ZImage",
    "QwenImagePipeline": "fairsweep.families.qwen_image:QwenImage",
    "Flux2KleinPipeline": "fairsweep.families.flux_2:Flux2Klein",
    "HunyuanDiTPipeline": "fairsweep.families.hunyuan_dit:HunyuanDiT",
}
# What edits source pictures, by the class that a model names: whether it takes a strength. A text-to-image class stands
# for its image-to-image one.
EDITORS = {
    "StableDiffusionPipeline": True,
    "StableDiffusionImg2ImgPipeline": True,
    "StableDiffusionXLPipeline": True,
    "StableDiffusionXLImg2ImgPipeline": True,
    "StableDiffusion3Pipeline": True,
    "StableDiffusion3Img2ImgPipeline": True,
    "FluxPipeline": True,
    "FluxImg2ImgPipeline": True,
}
# Those whose call takes pictures and does without: they make images from text all the same.
PICTURES_TOO = ("Flux2KleinPipeline",)
# Pipelines whose way from the denoiser's output to the scheduler would scale an edit unseen: no edit steers them.
REFUSED = {
    "SanaSprintPipeline": "mixes the latents into the denoiser's output before each step",
    "SanaSprintImg2ImgPipeline": "mixes the latents into the denoiser's output before each step",
}


def family_of(pipe: "DiffusionPipeline") -> "Family":
    """Return the family of a diffusers pipeline, by its class or a class that it derives from.

    A pipeline in no row of FAMILIES is of the base family, which `fair_guidance` can steer. Raises FairsweepError for
    one without a denoiser, `encode_prompt` or a scheduler.
    """
    from fairsweep.families.base import DENOISERS, Family

    for kind in type(pipe).__mro__:
        if kind.__name__ in FAMILIES:
            known: type[Family] = find(kind.__name__, FAMILIES, "pipeline family")
            return known(pipe)
    denoiser = next((name for name in DENOISERS if getattr(pipe, name, None) is not None), None)
    if denoiser is None or not hasattr(pipe, "encode_prompt") or not hasattr(pipe, "scheduler"):
        raise FairsweepError(
            f"{type(pipe).__name__} has no known denoiser; known: {', '.join(FAMILIES)}. To add a family, write "
            "a subclass of fairsweep.families.base.Family and a row in fairsweep.families.FAMILIES"
        )
    family = Family(pipe)
    family.denoiser = denoiser
    return family


def check_steerable(kind: type) -> None:
    """Raise FairsweepError for a pipeline class in REFUSED."""
    for base in kind.__mro__:
        if base.__name__ in REFUSED:
            raise FairsweepError(f"{base.__name__} {REFUSED[base.__name__]}: it cannot be guided")

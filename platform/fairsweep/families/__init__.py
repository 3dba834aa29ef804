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
    "FluxKontextPipeline": "fairsweep.families.flux:FluxKontext",
    "StableDiffusionInstructPix2PixPipeline": "fairsweep.families.instruct_pix2pix:InstructPix2Pix",
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
    "QwenImageEditPipeline": "fairsweep.families.qwen_image:QwenImageEdit",
    "QwenImageEditPlusPipeline": "fairsweep.families.qwen_image:QwenImageEdit",
    "Flux2KleinPipeline": "fairsweep.families.flux_2:Flux2Klein",
    "Flux2Pipeline": "fairsweep.families.flux_2:Flux2",
    "KolorsPipeline": "fairsweep.families.kolors:Kolors",
    "HiDreamImagePipeline": "fairsweep.families.hidream_image:HiDreamImage",
    "HunyuanImagePipeline": "fairsweep.families.hunyuan_image:HunyuanImage",
    "ErnieImagePipeline": "fairsweep.families.ernie_image:ErnieImage",
    "LongCatImagePipeline": "fairsweep.families.longcat_image:LongCatImage",
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
    "FluxKontextPipeline": False,
    "StableDiffusionInstructPix2PixPipeline": False,
    "QwenImageEditPipeline": False,
    "QwenImageEditPlusPipeline": False,
}
# Of those, the ones that round a part of a step up.
STARTED_STEPS = (
    "StableDiffusion3Pipeline",
    "StableDiffusion3Img2ImgPipeline",
    "FluxPipeline",
    "FluxImg2ImgPipeline",
)
# Those whose call would word prompts anew, by a model of their own, unless told not to.
REWRITERS = ("ErnieImagePipeline", "LongCatImagePipeline")
# Those whose call takes pictures and does without: they make images from text all the same.
PICTURES_TOO = ("Flux2KleinPipeline", "Flux2Pipeline")
# Those that no edit steers: it would be scaled unseen.
REFUSED = {
    "SanaSprintPipeline": "mixes the latents into the denoiser's output before each step",
    "SanaSprintImg2ImgPipeline": "mixes the latents into the denoiser's output before each step",
}
# Those that neither sweeps nor guidance can run.
UNSUITED = {
    "OmniGenPipeline": "encodes its prompts inside its call",
    "StableCascadePriorPipeline": "draws embeddings, which another pipeline makes pictures of",
    "StableCascadeDecoderPipeline": "starts from another pipeline's embeddings",
    "StableCascadeCombinedPipeline": "runs two denoisers one after the other",
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
        if kind.__name__ in UNSUITED:
            raise FairsweepError(unsuited(kind.__name__))
    denoiser = next((name for name in DENOISERS if getattr(pipe, name, None) is not None), None)
    if denoiser is None or not hasattr(pipe, "encode_prompt") or not hasattr(pipe, "scheduler"):
        raise FairsweepError(
            f"{type(pipe).__name__} has no known denoiser; known: {', '.join(FAMILIES)}. To add a family, write "
            "a subclass of fairsweep.families.base.Family and a row in fairsweep.families.FAMILIES"
        )
    family = Family(pipe)
    family.denoiser = denoiser
    return family


def unsuited(name: str) -> str:
    """Return why a class of UNSUITED cannot be run."""
    return f"{name} {UNSUITED[name]}: neither sweeps nor guidance can run it"


def check_steerable(kind: type) -> None:
    """Raise FairsweepError for a pipeline class in REFUSED."""
    for base in kind.__mro__:
        if base.__name__ in REFUSED:
            raise FairsweepError(f"{base.__name__} {REFUSED[base.__name__]}: it cannot be guided")

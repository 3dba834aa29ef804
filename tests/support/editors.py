"""Small random-weight pipelines that edit pictures, by their classes' names."""

import diffusers

from support import tiny


def undistilled():
    return tiny.build_flux(distilled=False)


def image_to_image(build):
    """Return how to build the image to image pipeline of a text to image one."""
    return lambda: diffusers.AutoPipelineForImage2Image.from_pipe(build())


def kontext():
    return diffusers.FluxKontextPipeline(**tiny.build_flux().components)


def pix2pix():
    parts = tiny.build_sd(in_channels=8).components
    return diffusers.StableDiffusionInstructPix2PixPipeline(**parts, requires_safety_checker=False)


def pix2pix_xl():
    parts = tiny.build_sdxl().components
    parts = {name: part for name, part in parts.items() if name not in ("image_encoder", "feature_extractor")}
    added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8}
    unet = tiny.unet(width=64, in_channels=8, projection_class_embeddings_input_dim=32 + 6 * 8, **added)
    return diffusers.StableDiffusionXLInstructPix2PixPipeline(**parts | {"unet": unet}, add_watermarker=False)


BUILD = {
    "StableDiffusionImg2ImgPipeline": image_to_image(tiny.build_sd),
    "StableDiffusionXLImg2ImgPipeline": image_to_image(tiny.build_sdxl),
    "StableDiffusion3Img2ImgPipeline": image_to_image(tiny.build_sd3),
    "FluxImg2ImgPipeline": image_to_image(undistilled),
    "FluxKontextPipeline": kontext,
    "StableDiffusionInstructPix2PixPipeline": pix2pix,
}

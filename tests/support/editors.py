"""Small random-weight pipelines that edit pictures, by their classes' names, and pictures for them."""

import diffusers
import numpy as np
import transformers
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from PIL import Image

from support import tiny, zoo
from support.zoo_language import qwen
from support.zoo_parts import word_tokenizer


def noise(seed: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    """Return a picture of smooth noise."""
    values = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)


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


def qwen_edit(kind=diffusers.QwenImageEditPipeline):
    """Build it with a processor of its own tokens: a picture is four of them."""
    parts = zoo.qwen_image().components
    tokenizer = word_tokenizer()
    tokens = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    processor = transformers.Qwen2VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessorPil(),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
    )
    image, video, start, end = tokenizer.convert_tokens_to_ids(tokens)
    encoder = qwen(image_token_id=image, video_token_id=video, vision_start_token_id=start, vision_end_token_id=end)
    return zoo.shortened(kind(**parts | {"tokenizer": tokenizer, "text_encoder": encoder, "processor": processor}))


def qwen_edit_plus():
    return qwen_edit(diffusers.QwenImageEditPlusPipeline)


def small_areas(monkeypatch) -> None:
    """Have Qwen-Image-Edit scale its pictures to a thousand pixels: it is a million otherwise, whatever is asked."""
    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus):
        whole = module.calculate_dimensions
        monkeypatch.setattr(module, "calculate_dimensions", lambda area, ratio, whole=whole: whole(32 * 32, ratio))


BUILD = {
    "StableDiffusionImg2ImgPipeline": image_to_image(tiny.build_sd),
    "StableDiffusionXLImg2ImgPipeline": image_to_image(tiny.build_sdxl),
    "StableDiffusion3Img2ImgPipeline": image_to_image(tiny.build_sd3),
    "FluxImg2ImgPipeline": image_to_image(undistilled),
    "FluxKontextPipeline": kontext,
    "StableDiffusionInstructPix2PixPipeline": pix2pix,
    "QwenImageEditPipeline": qwen_edit,
    "QwenImageEditPlusPipeline": qwen_edit_plus,
}

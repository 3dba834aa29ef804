"""Pipelines of real sizes with random weights: a benchmark's cost is real without a download."""

from collections.abc import Callable

import diffusers
import torch
import transformers

from fairsweep.portraits.tokenizer import build_tokenizer

_CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
T5_LAYERS = 24


def build(name: str, depth: float = 1.0):
    """Build a pipeline by its architecture's name on the current default device and dtype.

    depth: the fraction of the transformer's layers to keep, for a model that does not fit (sd3-medium, flux-dev).
    The T5 encoder runs once per text and not per step: it has its real width and one layer.
    """
    torch.manual_seed(0)
    pipe = ARCHITECTURES[name](depth)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _portraits(depth: float):
    from fairsweep.portraits.networks import build_clip, build_scheduler, build_unet, build_vae, text_encoder

    tokenizer = build_tokenizer()
    text = text_encoder(build_clip(len(tokenizer)), tokenizer.bos_token_id, tokenizer.eos_token_id)
    return _stable_diffusion(build_unet(), build_vae(), text, tokenizer, build_scheduler())


def _sd15(depth: float):
    tokenizer = _tokenizer()
    unet = diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    return _stable_diffusion(unet, _vae(4, 512), _clip(tokenizer, _CLIP_L), tokenizer, _ddim())


def _sdxl(depth: float):
    tokenizer = _tokenizer()
    unet = diffusers.UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=_vae(4, 1024),
        text_encoder=_clip(tokenizer, _CLIP_L),
        text_encoder_2=_clip(tokenizer, _CLIP_G, projection=1280),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=_ddim(),
        add_watermarker=False,
    )


def _sd3_medium(depth: float):
    tokenizer = _tokenizer()
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=128,
        num_layers=max(1, round(24 * depth)),
        num_attention_heads=24,
        caption_projection_dim=1536,
        joint_attention_dim=4096,
        pooled_projection_dim=2048,
        pos_embed_max_size=192,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(16, 1024, shift_factor=0.0609),
        text_encoder=_clip(tokenizer, _CLIP_L, projection=768),
        tokenizer=tokenizer,
        text_encoder_2=_clip(tokenizer, _CLIP_G, projection=1280),
        tokenizer_2=tokenizer,
        text_encoder_3=t5(),
        tokenizer_3=transformers.T5Tokenizer(),
    )


def _flux_dev(depth: float):
    tokenizer = _tokenizer()
    transformer = diffusers.FluxTransformer2DModel(
        num_layers=max(1, round(19 * depth)),
        num_single_layers=max(1, round(38 * depth)),
        guidance_embeds=True,
    )
    return diffusers.FluxPipeline(
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=_vae(16, 1024, shift_factor=0.1159),
        text_encoder=_clip(tokenizer, _CLIP_L),
        tokenizer=tokenizer,
        text_encoder_2=t5(),
        tokenizer_2=transformers.T5Tokenizer(),
    )


ARCHITECTURES: dict[str, Callable] = {
    "portraits": _portraits,
    "sd15": _sd15,
    "sdxl": _sdxl,
    "sd3-medium": _sd3_medium,
    "flux-dev": _flux_dev,
}


def _stable_diffusion(unet, vae, text, tokenizer, scheduler):
    return diffusers.StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _tokenizer():
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = 77
    return tokenizer


def _clip(tokenizer, size: dict, projection: int | None = None):
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        projection_dim=projection or 512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **size,
    )
    kind = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    return kind(config)


def t5(layers: int = 1):
    """Build the encoder of T5-XXL, of T5_LAYERS layers or fewer, on the current default device and dtype."""
    config = transformers.T5Config(
        vocab_size=128,
        d_model=4096,
        d_kv=64,
        d_ff=10240,
        num_layers=layers,
        num_heads=64,
        feed_forward_proj="gated-gelu",
    )
    return transformers.T5EncoderModel(config)


def _vae(channels: int, size: int, **config):
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=channels,
        sample_size=size,
        **config,
    )


def _ddim():
    return diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )

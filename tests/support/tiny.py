"""Small random-weight pipelines of the real architectures: built in code, milliseconds per step."""

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

WORDS = str.split(
    "a an the of with photo portrait face person people female male light medium dark young old skinned "
    "firefighter nurse teacher doctor all individuals can be irrespective their gender"
)


def clip_tokenizer() -> CLIPTokenizer:
    """Build a real CLIP tokenizer: each of WORDS is one token, other text is spelled out by letter."""
    alphabet = sorted(ByteLevel.alphabet())
    tokens = alphabet + [f"{symbol}</w>" for symbol in alphabet]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        left = pieces[0]
        for right in pieces[1:]:
            if (left, right) not in merges:
                merges.append((left, right))
            left += right
            if left not in tokens:
                tokens.append(left)
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: index for index, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    """Build a real T5 tokenizer that spells every text out letter by letter."""
    letters = ["▁", *(chr(code) for code in range(33, 127))]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in letters)]
    return T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=64)


def clip_text(tokenizer: CLIPTokenizer, width: int = 32, projection: bool = False, positions: int = 77):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=positions,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def t5_text(tokenizer: T5Tokenizer, width: int = 32) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    ).eval()


def vae(latent_channels: int = 4, **config) -> AutoencoderKL:
    """Build an autoencoder whose latents are a quarter of the image's side."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        norm_num_groups=4,
        latent_channels=latent_channels,
        sample_size=32,
        **config,
    ).eval()


def unet(width: int = 32, sample_size: int = 8, attention_head_dim=4, **config) -> UNet2DConditionModel:
    denoiser = UNet2DConditionModel(
        sample_size=sample_size,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=width,
        attention_head_dim=attention_head_dim,
        **config,
    ).eval()
    # Random weights hardly listen to the text; a trained model does, and rounding must not decide a threshold.
    for name, weight in denoiser.named_parameters():
        if name.endswith("attn2.to_out.0.weight"):
            weight.data *= 30
    return denoiser


def build_sd(size: int = 32, prediction_type: str = "epsilon", seed: int = 0, **denoiser) -> StableDiffusionPipeline:
    """Build a Stable Diffusion 1.x/2.x pipeline with a DDIM scheduler and SD's own noise schedule.

    denoiser: more of the UNet's configuration.
    """
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction_type,
    )
    return _quiet(
        StableDiffusionPipeline(
            vae=vae(),
            text_encoder=clip_text(tokenizer),
            tokenizer=tokenizer,
            unet=unet(sample_size=size // 4, **denoiser),
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    )


def build_sdxl(size: int = 32, seed: int = 0) -> StableDiffusionXLPipeline:
    """Build a Stable Diffusion XL pipeline: two text encoders, a pooled embedding and time ids."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    denoiser = unet(
        width=64,
        sample_size=size // 4,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=32 + 6 * 8,
    )
    return _quiet(
        StableDiffusionXLPipeline(
            vae=vae(),
            text_encoder=clip_text(tokenizer),
            text_encoder_2=clip_text(tokenizer, projection=True),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=denoiser,
            scheduler=build_sd(seed=seed).scheduler,
            add_watermarker=False,
        )
    )


def build_sd3(size: int = 32, seed: int = 0) -> StableDiffusion3Pipeline:
    """Build a Stable Diffusion 3 pipeline: a transformer, three text encoders, flow matching."""
    torch.manual_seed(seed)
    tokenizer, tokenizer_3 = clip_tokenizer(), t5_tokenizer()
    transformer = SD3Transformer2DModel(
        sample_size=size // 4,
        patch_size=1,
        in_channels=8,
        out_channels=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=64,
        pooled_projection_dim=64,
    ).eval()
    return _quiet(
        StableDiffusion3Pipeline(
            transformer=transformer,
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=vae(8, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
            text_encoder=clip_text(tokenizer, projection=True),
            tokenizer=tokenizer,
            text_encoder_2=clip_text(tokenizer, projection=True),
            tokenizer_2=tokenizer,
            text_encoder_3=t5_text(tokenizer_3, width=64),
            tokenizer_3=tokenizer_3,
        )
    )


def build_flux(size: int = 32, distilled: bool = True, seed: int = 0) -> FluxPipeline:
    """Build a FLUX pipeline: packed latents, rotary positions, guidance as an embedding when distilled."""
    torch.manual_seed(seed)
    tokenizer, tokenizer_2 = clip_tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=distilled,
        axes_dims_rope=(4, 4, 8),
    ).eval()
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae(4, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=clip_text(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=t5_text(tokenizer_2),
        tokenizer_2=tokenizer_2,
        transformer=transformer,
    )
    pipeline.default_sample_size = size // 4
    return _quiet(pipeline)


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the largest difference, in units of the largest wanted value."""
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def _quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline

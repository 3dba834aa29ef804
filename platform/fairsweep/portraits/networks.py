"""The architectures of the built-in models: configurations only, each of a stock diffusers or open_clip class."""

from diffusers import AutoencoderKL, DDIMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from open_clip import CLIP
from transformers import CLIPTextConfig, CLIPTextModel

from fairsweep.portraits.scaling import IMAGE_SIZE
from fairsweep.portraits.tokenizer import CONTEXT_LENGTH

LATENT_CHANNELS = 8
LATENT_SIZE = 8

_TEXT_WIDTH = 128
_TEXT_LAYERS = 3
_TEXT_HEADS = 4
# Zero terminal signal-to-noise ratio and trailing steps: Lin et al., arXiv 2305.08891.
_NOISE_SCHEDULE = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}


def build_vae() -> AutoencoderKL:
    """Build the autoencoder: (3, 64, 64) pixels in [-1, 1] <-> (8, 8, 8) latents."""
    widths = (16, 32, 64, 64)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=IMAGE_SIZE,
    )


def build_unet() -> UNet2DConditionModel:
    """Build the denoiser: 3.2 M parameters, cross-attention on the 8x8 latents and in the middle."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(64, 128),
        layers_per_block=1,
        cross_attention_dim=_TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def build_noise_schedule() -> DDIMScheduler:
    """Build the noise schedule that the denoiser is trained on, in v-prediction."""
    return DDIMScheduler(**_NOISE_SCHEDULE)


def build_scheduler() -> DPMSolverMultistepScheduler:
    """Build the shipped sampler over that schedule: DPM-Solver++ of second order (Lu et al., arXiv 2211.01095).

    In 20 steps it stays closer than DDIM to what many steps would draw: DDIM's coarse steps draw men more often.
    """
    return DPMSolverMultistepScheduler(**_NOISE_SCHEDULE)


def clip_config(vocab_size: int, tokenizer_name: str | None = None) -> dict:
    """Return open_clip's model configuration: a small ResNet reads the image, a small transformer the caption."""
    text = {
        "context_length": CONTEXT_LENGTH,
        "vocab_size": vocab_size,
        "width": _TEXT_WIDTH,
        "heads": _TEXT_HEADS,
        "layers": _TEXT_LAYERS,
        # Captions end at the first end-of-text token, which also pads them.
        "pool_type": "eos",
        "eos_id": vocab_size - 1,
    }
    if tokenizer_name:
        text["hf_tokenizer_name"] = tokenizer_name
    vision = {"image_size": IMAGE_SIZE, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}
    return {"embed_dim": 128, "vision_cfg": vision, "text_cfg": text}


def build_clip(vocab_size: int) -> CLIP:
    """Build the CLIP model from `clip_config` with fresh weights."""
    config = clip_config(vocab_size)
    return CLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])


def text_encoder(clip: CLIP, bos_token_id: int, eos_token_id: int) -> CLIPTextModel:
    """Return the text tower of an open_clip model as the transformers model that a pipeline holds."""
    width = clip.token_embedding.weight.shape[1]
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=clip.vocab_size,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=_TEXT_LAYERS,
            num_attention_heads=_TEXT_HEADS,
            max_position_embeddings=CONTEXT_LENGTH,
            projection_dim=clip.text_projection.shape[1],
            hidden_act="gelu",
            bos_token_id=bos_token_id,
            eos_token_id=eos_token_id,
            pad_token_id=eos_token_id,
        )
    )
    renamed = {
        "embeddings.token_embedding.weight": clip.token_embedding.weight,
        "embeddings.position_embedding.weight": clip.positional_embedding,
        "final_layer_norm.weight": clip.ln_final.weight,
        "final_layer_norm.bias": clip.ln_final.bias,
    }
    for index, block in enumerate(clip.transformer.resblocks):
        layer = f"encoder.layers.{index}."
        for kind in ("weight", "bias"):
            projections = getattr(block.attn, f"in_proj_{kind}").chunk(3)
            for name, value in zip(("q_proj", "k_proj", "v_proj"), projections, strict=True):
                renamed[f"{layer}self_attn.{name}.{kind}"] = value
            renamed[f"{layer}self_attn.out_proj.{kind}"] = getattr(block.attn.out_proj, kind)
            renamed[f"{layer}layer_norm1.{kind}"] = getattr(block.ln_1, kind)
            renamed[f"{layer}layer_norm2.{kind}"] = getattr(block.ln_2, kind)
            renamed[f"{layer}mlp.fc1.{kind}"] = getattr(block.mlp.c_fc, kind)
            renamed[f"{layer}mlp.fc2.{kind}"] = getattr(block.mlp.c_proj, kind)
    state = {name: value.detach().clone() for name, value in renamed.items()}
    prefix = "text_model." if any(name.startswith("text_model.") for name in model.state_dict()) else ""
    model.load_state_dict({prefix + name: value for name, value in state.items()})
    return model.eval().requires_grad_(False)

"""Small random-weight pipelines of more real classes: what `fair_guidance` is shown to steer without a family file."""

from collections.abc import Callable

import diffusers
import torch
import transformers

from support import tiny, zoo_language
from support.zoo_parts import SIZE, TEXT, flow, listening, text, vae, vae_of_eighths, word_tokenizer


def inpaint():
    parts = tiny.build_sd().components
    return diffusers.StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)


def controlnet():
    parts = tiny.build_sd().components
    net = diffusers.ControlNetModel.from_unet(parts["unet"], conditioning_embedding_out_channels=(8, 8, 8)).eval()
    # Zeros at first, so that it would add nothing.
    for block in [*net.controlnet_down_blocks, net.controlnet_mid_block]:
        torch.nn.init.normal_(block.weight, std=0.1)
    # Deaf to the text: a row keeps the residuals of its image's prompt, which one with another prompt would not have.
    for name, weight in net.named_parameters():
        if "attn2.to_out" in name:
            weight.data.zero_()
    return diffusers.StableDiffusionControlNetPipeline(**parts, controlnet=net, requires_safety_checker=False)


def sd35():
    parts = tiny.build_sd3().components
    config = {**parts["transformer"].config, "qk_norm": "rms_norm", "dual_attention_layers": (0,)}
    transformer = diffusers.SD3Transformer2DModel.from_config(config).eval()
    return diffusers.StableDiffusion3Pipeline(**parts | {"transformer": transformer})


def latent_consistency():
    parts = tiny.build_sd(time_cond_proj_dim=16).components
    scheduler = diffusers.LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    return diffusers.LatentConsistencyModelPipeline(**parts | {"scheduler": scheduler}, requires_safety_checker=False)


def pixart_sigma():
    tokenizer = tiny.t5_tokenizer()
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=8,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=16,
        cross_attention_dim=32,
        caption_channels=32,
        use_additional_conditions=False,
    )
    return diffusers.PixArtSigmaPipeline(
        tokenizer=tokenizer,
        text_encoder=tiny.t5_text(tokenizer),
        vae=tiny.vae(),
        transformer=listening(transformer, "attn2"),
        scheduler=tiny.build_sd().scheduler,
    )


def _sana(kind: type, scheduler, **config):
    transformer = diffusers.SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=16,
        cross_attention_dim=32,
        caption_channels=32,
        sample_size=8,
        **config,
    )
    vae = diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1),
        encoder_qkv_multiscales=((), (), ()),
        decoder_qkv_multiscales=((), (), ()),
    )
    return kind(
        tokenizer=word_tokenizer(),
        text_encoder=text(transformers.Gemma2Model, transformers.Gemma2Config),
        vae=vae,
        transformer=listening(transformer, "attn2"),
        scheduler=scheduler,
    )


def sana():
    return _sana(diffusers.SanaPipeline, flow())


def sana_sprint():
    scheduler = diffusers.SCMScheduler(prediction_type="trigflow")
    return _sana(diffusers.SanaSprintPipeline, scheduler, guidance_embeds=True, qk_norm="rms_norm_across_heads")


def aura_flow():
    tokenizer = tiny.t5_tokenizer()
    config = transformers.UMT5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    transformer = diffusers.AuraFlowTransformer2DModel(
        sample_size=8,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=32,
        pos_embed_max_size=64,
    )
    return diffusers.AuraFlowPipeline(
        tokenizer=tokenizer,
        text_encoder=transformers.UMT5EncoderModel(config).eval(),
        vae=tiny.vae(),
        transformer=listening(transformer, "add_v_proj", 20.0),
        scheduler=flow(),
    )


def lumina2():
    transformer = diffusers.Lumina2Transformer2DModel(
        sample_size=8,
        in_channels=4,
        hidden_size=24,
        num_layers=1,
        num_refiner_layers=1,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=8,
        axes_dim_rope=(4, 4, 4),
        axes_lens=(128, 32, 32),
        cap_feat_dim=32,
    )
    return diffusers.Lumina2Pipeline(
        tokenizer=word_tokenizer(),
        text_encoder=text(transformers.Gemma2Model, transformers.Gemma2Config),
        vae=vae_of_eighths(shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        transformer=listening(transformer, "caption_embedder"),
        scheduler=flow(),
    )


def cogview4():
    transformer = diffusers.CogView4Transformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        text_embed_dim=32,
        time_embed_dim=16,
        condition_dim=8,
        pos_embed_max_size=16,
        sample_size=8,
        rope_axes_dim=(64, 64),
    )
    return diffusers.CogView4Pipeline(
        tokenizer=word_tokenizer(),
        text_encoder=text(transformers.GlmModel, transformers.GlmConfig),
        vae=vae(4),
        transformer=listening(transformer, "text_proj"),
        scheduler=flow(),
    )


def chroma():
    tokenizer = tiny.t5_tokenizer()
    transformer = diffusers.ChromaTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_num_channels=8,
        approximator_hidden_dim=16,
        approximator_layers=1,
    )
    return diffusers.ChromaPipeline(
        tokenizer=tokenizer,
        text_encoder=tiny.t5_text(tokenizer),
        vae=vae(4),
        transformer=listening(transformer, "context_embedder"),
        scheduler=flow(),
    )


def z_image():
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 4, 8],
        axes_lens=[256, 32, 32],
    )
    # Learned pads start empty, which is any memory.
    for name, weight in transformer.named_parameters():
        if "pad_token" in name:
            torch.nn.init.normal_(weight)
    return diffusers.ZImagePipeline(
        tokenizer=word_tokenizer(),
        text_encoder=text(transformers.Qwen3Model, transformers.Qwen3Config),
        vae=vae(4),
        transformer=listening(transformer, "cap_embedder"),
        scheduler=flow(),
    )


def qwen_image():
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            "num_key_value_heads": 2,
            "vocab_size": 64,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 32,
        },
    )
    transformer = diffusers.QwenImageTransformer2DModel(
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    return diffusers.QwenImagePipeline(
        tokenizer=word_tokenizer(),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config).eval(),
        vae=vae,
        transformer=listening(transformer, "txt_in"),
        scheduler=flow(),
    )


def flux2_klein():
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=96,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = diffusers.AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
    )
    return diffusers.Flux2KleinPipeline(
        tokenizer=word_tokenizer(),
        # Its call reads the layers 9, 18 and 27.
        text_encoder=text(transformers.Qwen3ForCausalLM, transformers.Qwen3Config, num_hidden_layers=28),
        vae=vae,
        transformer=listening(transformer, "context_embedder"),
        scheduler=flow(),
    )


def hunyuan_dit():
    tokenizer, tokenizer_2 = tiny.clip_tokenizer(), tiny.t5_tokenizer()
    bert = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=77, **TEXT)
    transformer = diffusers.HunyuanDiT2DModel(
        sample_size=8,
        in_channels=4,
        patch_size=2,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=16,
        hidden_size=32,
        cross_attention_dim=32,
        cross_attention_dim_t5=32,
        pooled_projection_dim=16,
        text_len=77,
        text_len_t5=256,
    )
    return diffusers.HunyuanDiTPipeline(
        vae=vae_of_eighths(),
        text_encoder=transformers.BertModel(bert).eval(),
        tokenizer=tokenizer,
        text_encoder_2=tiny.t5_text(tokenizer_2),
        tokenizer_2=tokenizer_2,
        transformer=listening(transformer, "text_embedder"),
        scheduler=tiny.build_sd().scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


# Class -> (how to build it, arguments of its call).
ZOO: dict[str, tuple[Callable, dict]] = {
    "StableDiffusionInpaintPipeline": (inpaint, SIZE),
    "StableDiffusionControlNetPipeline": (controlnet, SIZE),
    "StableDiffusion3Pipeline": (sd35, {**SIZE, "max_sequence_length": 32}),
    "LatentConsistencyModelPipeline": (latent_consistency, SIZE),
    "PixArtSigmaPipeline": (pixart_sigma, {**SIZE, "max_sequence_length": 32, "use_resolution_binning": False}),
    "SanaPipeline": (
        sana,
        {**SIZE, "max_sequence_length": 16, "use_resolution_binning": False, "complex_human_instruction": None},
    ),
    "SanaSprintPipeline": (
        sana_sprint,
        {**SIZE, "max_sequence_length": 16, "use_resolution_binning": False, "complex_human_instruction": None},
    ),
    "AuraFlowPipeline": (aura_flow, {**SIZE, "max_sequence_length": 32}),
    "Lumina2Pipeline": (
        lumina2,
        {"height": 64, "width": 64, "max_sequence_length": 32, "system_prompt": "a", "cfg_normalization": False},
    ),
    "CogView4Pipeline": (cogview4, {**SIZE, "max_sequence_length": 32}),
    "ChromaPipeline": (chroma, {**SIZE, "max_sequence_length": 32}),
    "ZImagePipeline": (z_image, {**SIZE, "max_sequence_length": 32}),
    "QwenImagePipeline": (qwen_image, SIZE),
    "Flux2KleinPipeline": (
        flux2_klein,
        {**SIZE, "max_sequence_length": 16},
    ),
    "HunyuanDiTPipeline": (hunyuan_dit, {"height": 64, "width": 64, "use_resolution_binning": False}),
    **zoo_language.ZOO,
}

# Which pictures a class starts from, and its guidance scale without classifier-free guidance where that is not 1.
PICTURES = {
    "StableDiffusionInpaintPipeline": ("image", "mask_image"),
    "StableDiffusionControlNetPipeline": ("image",),
}
UNGUIDED = {"ZImagePipeline": 0.0, "LatentConsistencyModelPipeline": 4.0, "Flux2Pipeline": 4.0}


def build(name: str):
    """Build a pipeline by its class's name; random weights from seed 0."""
    torch.manual_seed(0)
    pipe = ZOO[name][0]()
    pipe.set_progress_bar_config(disable=True)
    return shortened(pipe)


def shortened(pipe):
    """Return the pipeline with fewer tokens and pixels where its class fixes them, to be fast."""
    for attribute, value in zoo_language.SHORT.get(type(pipe).__name__, {}).items():
        setattr(pipe, attribute, value)
    return pipe

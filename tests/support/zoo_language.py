"""The zoo's classes that language models tell their prompts: FLUX.2, HiDream, Hunyuan-, ERNIE- and LongCat-Image."""

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import diffusers
import sentencepiece
import torch
import transformers
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig, ChatGLMModel
from diffusers.pipelines.kolors.tokenizer import ChatGLMTokenizer

from support import tiny
from support.zoo_parts import GROUPED, SIZE, TEXT, flow, listening, vae, word_tokenizer

_QWEN = {
    "text_config": {
        **TEXT,
        "num_key_value_heads": 2,
        "vocab_size": 64,
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
    },
    "vision_config": {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32},
}
# Contents come as lists of parts.
_PARTS = "{% for message in messages %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"


def qwen(**tokens):
    return transformers.Qwen2_5_VLForConditionalGeneration(transformers.Qwen2_5_VLConfig(**_QWEN, **tokens)).eval()


def _mistral(layers: int) -> transformers.Mistral3Config:
    return transformers.Mistral3Config(
        text_config={"model_type": "mistral", **GROUPED, "num_hidden_layers": layers, "vocab_size": 64},
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "image_size": 16,
            "patch_size": 8,
        },
    )


def flux2_vae():
    return diffusers.AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
    )


def flux2():
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=96,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=True,
    )
    tokenizer = word_tokenizer()
    tokenizer.chat_template = _PARTS
    return diffusers.Flux2Pipeline(
        tokenizer=tokenizer,
        # Its call reads the layers 10, 20 and 30.
        text_encoder=transformers.Mistral3ForConditionalGeneration(_mistral(30)).eval(),
        vae=flux2_vae(),
        transformer=listening(transformer, "context_embedder"),
        scheduler=flow(),
    )


def hidream():
    tokenizer, tokenizer_3 = tiny.clip_tokenizer(), tiny.t5_tokenizer()
    transformer = diffusers.HiDreamImageTransformer2DModel(
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        caption_channels=[32, 32],
        text_emb_dim=64,
        num_routed_experts=2,
        num_activated_experts=1,
        axes_dims_rope=(8, 4, 4),
        max_resolution=(16, 16),
        llama_layers=[0, 1],
    )
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=64, **GROUPED)).eval()
    llama.set_attn_implementation("eager")  # its call asks for the attentions
    return diffusers.HiDreamImagePipeline(
        tokenizer=tokenizer,
        text_encoder=tiny.clip_text(tokenizer, projection=True, positions=128),
        tokenizer_2=tokenizer,
        text_encoder_2=tiny.clip_text(tokenizer, projection=True, positions=128),
        tokenizer_3=tokenizer_3,
        text_encoder_3=tiny.t5_text(tokenizer_3),
        tokenizer_4=word_tokenizer(),
        text_encoder_4=llama,
        vae=vae(4),
        transformer=listening(transformer, "caption_projection"),
        scheduler=flow(),
    )


def hunyuan_image():
    transformer = diffusers.HunyuanImageTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        text_embed_dim=32,
        text_embed_2_dim=32,
        rope_axes_dim=(8, 8),
    )
    autoencoder = diffusers.AutoencoderKLHunyuanImage(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(32, 32, 32),
        layers_per_block=1,
        spatial_compression_ratio=4,
        sample_size=32,
        scaling_factor=0.5,
    )
    tokenizer_2 = transformers.ByT5Tokenizer()
    config = transformers.T5Config(
        vocab_size=len(tokenizer_2), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, is_gated_act=False
    )
    return diffusers.HunyuanImagePipeline(
        tokenizer=word_tokenizer(),
        text_encoder=qwen(),
        tokenizer_2=tokenizer_2,
        text_encoder_2=transformers.T5EncoderModel(config).eval(),
        vae=autoencoder.eval(),
        transformer=listening(transformer, "context_embedder"),
        scheduler=flow(),
        guider=diffusers.AdaptiveProjectedMixGuidance(adaptive_projected_guidance_start_step=2),
        ocr_guider=diffusers.AdaptiveProjectedMixGuidance(adaptive_projected_guidance_start_step=1),
    )


def ernie_image():
    transformer = diffusers.ErnieImageTransformer2DModel(
        hidden_size=32,
        num_attention_heads=2,
        num_layers=1,
        ffn_hidden_size=64,
        in_channels=16,
        out_channels=16,
        text_in_dim=32,
        rope_axes_dim=(4, 6, 6),
    )
    # Gates and the last layer are zeros at first, and the image would see no text.
    for weight in transformer.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    writer = transformers.Ministral3Config(vocab_size=64, **GROUPED)
    pe_tokenizer = word_tokenizer()
    pe_tokenizer.model_max_length = 12
    return diffusers.ErnieImagePipeline(
        tokenizer=word_tokenizer(),
        text_encoder=transformers.Mistral3Model(_mistral(2)).eval(),
        vae=flux2_vae(),
        transformer=transformer.eval(),
        scheduler=flow(),
        pe=transformers.Ministral3ForCausalLM(writer).eval(),
        pe_tokenizer=pe_tokenizer,
    )


def longcat_image():
    transformer = diffusers.LongCatImageTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
    )
    tokenizer = word_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|image_pad|>", "<|video_pad|>"]})
    processor = transformers.Qwen2VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessorPil(),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=_PARTS,
    )
    return diffusers.LongCatImagePipeline(
        tokenizer=word_tokenizer(),
        text_encoder=qwen(),
        text_processor=processor,
        vae=vae(16),
        transformer=listening(transformer, "context_embedder"),
        scheduler=flow(),
    )


@cache
def _pieces() -> tempfile.TemporaryDirectory:
    """Return a folder with a real SentencePiece model, trained on the zoo's words."""
    folder = tempfile.TemporaryDirectory()
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(tiny.WORDS * 4),
        model_writer=written,
        vocab_size=80,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (Path(folder.name) / "tokenizer.model").write_bytes(written.getvalue())
    return folder


def kolors():
    config = ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=128,
        hidden_size=32,
        ffn_hidden_size=64,
        kv_channels=16,
        num_attention_heads=2,
        seq_length=256,
        original_rope=True,
    )
    encoder = ChatGLMModel(config).eval()
    # Its weights start empty, which is any memory.
    for name, weight in encoder.named_parameters():
        torch.nn.init.ones_(weight) if "norm" in name else torch.nn.init.normal_(weight, std=0.2)
    unet = tiny.unet(
        width=32,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=32 + 6 * 8,
    )
    return diffusers.KolorsPipeline(
        tokenizer=ChatGLMTokenizer(str(Path(_pieces().name) / "tokenizer.model")),
        text_encoder=encoder,
        vae=tiny.vae(),
        unet=unet,
        scheduler=tiny.build_sd().scheduler,
    )


# Class -> (how to build it, arguments of its call).
ZOO: dict[str, tuple[Callable, dict]] = {
    "KolorsPipeline": (kolors, SIZE),
    "Flux2Pipeline": (flux2, {**SIZE, "max_sequence_length": 32}),
    "HiDreamImagePipeline": (hidream, {**SIZE, "max_sequence_length": 32}),
    "HunyuanImagePipeline": (hunyuan_image, SIZE),
    "ErnieImagePipeline": (ernie_image, {**SIZE, "use_pe": False}),
    "LongCatImagePipeline": (
        longcat_image,
        {**SIZE, "enable_prompt_rewrite": False, "enable_cfg_renorm": False},
    ),
}

# What a class fixes in its code: as many pixels whatever the size, a thousand tokens for each text, instructions in
# words that the zoo has none of.
_SEEN = "<|vision_start|><|image_pad|><|vision_end|>"
SHORT = {
    "HiDreamImagePipeline": {"default_sample_size": 8},
    "HunyuanImagePipeline": {"tokenizer_max_length": 40, "tokenizer_2_max_length": 16},
    "LongCatImagePipeline": {"tokenizer_max_length": 32},
    "QwenImageEditPipeline": {"prompt_template_encode": _SEEN + "{}", "prompt_template_encode_start_idx": 0},
    "QwenImageEditPlusPipeline": {"prompt_template_encode": "{}", "prompt_template_encode_start_idx": 0},
}

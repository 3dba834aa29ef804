"""What the zoo's pipelines are made of: tiny language models, tokenizers of words, autoencoders."""

import diffusers
import torch
import transformers
from diffusers import FlowMatchEulerDiscreteScheduler
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from support import tiny

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
GROUPED = {**TEXT, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 512}
SIZE = {"height": 32, "width": 32}


def word_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Build a tokenizer of whole words with a chat template that adds nothing."""
    vocab = {word: index for index, word in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *tiny.WORDS])}
    tokenizer = Tokenizer(WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)])
    special = {name: f"<{name[:3]}>" for name in ("pad_token", "bos_token", "eos_token", "unk_token")}
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template, **special)


def flow(**config) -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(shift=3.0, **config)


def text(kind: type, config: type, **more):
    return kind(config(vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, **(GROUPED | more))).eval()


def vae(channels: int):
    return tiny.vae(channels, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False)


def vae_of_eighths(**config):
    """Build an autoencoder for pipelines that take latents of an eighth of the picture's side for granted."""
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        sample_size=64,
        **config,
    ).eval()


def listening(module: torch.nn.Module, name: str, gain: float = 4.0) -> torch.nn.Module:
    """Return the denoiser with stronger weights where text enters: random ones hardly listen."""
    for parameter, weight in module.named_parameters():
        if name in parameter and weight.dim() == 2:
            weight.data *= gain
    return module.eval()

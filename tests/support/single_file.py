"""Write a tiny Stable Diffusion 1.x as one .safetensors file with the names of its first release."""

import re
from pathlib import Path

from safetensors.torch import save_file

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE = {
    "mid_block.attentions.0.group_norm": "mid.attn_1.norm",
    "mid_block.attentions.0.to_q": "mid.attn_1.q",
    "mid_block.attentions.0.to_k": "mid.attn_1.k",
    "mid_block.attentions.0.to_v": "mid.attn_1.v",
    "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
}


def save_as_single_file(pipe, path: Path) -> None:
    """Write the pipeline's weights; its configurations stay in its folder."""
    layers = pipe.unet.config.layers_per_block
    blocks = len(pipe.vae.config.block_out_channels)
    tensors = {f"model.diffusion_model.{_unet(key, layers)}": value for key, value in pipe.unet.state_dict().items()}
    tensors |= {f"first_stage_model.{_vae(key, blocks)}": value for key, value in pipe.vae.state_dict().items()}
    for key, value in pipe.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{key.removeprefix('text_model.')}"] = value
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)


def _unet(key: str, layers: int) -> str:
    for ours, theirs in _UNET.items():
        if key.startswith(f"{ours}."):
            return key.replace(ours, theirs, 1)
    side, block, kind, index, rest = re.match(
        r"(down|up|mid)_block(?:s\.(\d+))?\.(resnets|attentions|\w+samplers)\.(\d+)\.(.+)", key
    ).groups()
    index = int(index)
    if kind == "resnets":
        name = rest.rsplit(".", 1)[0]
        rest = rest.replace(name, _RESNET[name], 1)
    if side == "mid":
        return f"middle_block.{2 * index if kind == 'resnets' else 1}.{rest}"
    if side == "down":
        if kind == "downsamplers":
            index, rest = layers, rest.replace("conv.", "op.")
        return f"input_blocks.{1 + int(block) * (layers + 1) + index}.{int(kind == 'attentions')}.{rest}"
    number = int(block) * (layers + 1) + (layers if kind == "upsamplers" else index)
    # An upsampler stands behind the attention, where the block has one: the first block of these tiny models.
    place = {"resnets": 0, "attentions": 1, "upsamplers": 2 if block == "0" else 1}[kind]
    return f"output_blocks.{number}.{place}.{rest}"


def _vae(key: str, blocks: int) -> str:
    for ours, theirs in _VAE.items():
        key = key.replace(ours, theirs)
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", key)
    key = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda found: f"up.{blocks - 1 - int(found[1])}.block.", key)
    return re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda found: f"up.{blocks - 1 - int(found[1])}.upsample.", key)

"""What lets a large model fit a small card: quantised weights, and parts that wait on the host."""

from typing import Any

import torch

from fairsweep.errors import ModelLoadError, first_line
from fairsweep.families.base import DENOISERS
from fairsweep.pipelines.precision import weights_type

_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")


def quantization(model, place: torch.device) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that quantise the denoiser and the text encoders of a ModelSpec.

    Raises ModelLoadError where the package for it is missing, or the device cannot do it.
    """
    if model.quantize is None:
        return {}
    if model.quantize == "nf4" and place.type == "cpu":
        raise ModelLoadError(f"model {model.name}: quantize nf4 needs a GPU: use int8 on this machine")
    import diffusers
    import transformers

    try:
        arguments = _nf4(model) if model.quantize == "nf4" else _torchao(model.quantize)
        kinds = [
            (getattr(library, "BitsAndBytesConfig" if model.quantize == "nf4" else "TorchAoConfig"), names)
            for library, names in ((diffusers, DENOISERS), (transformers, _ENCODERS))
        ]
        mapping = {name: kind(**arguments) for kind, names in kinds for name in names}
    except ImportError as error:
        raise ModelLoadError(
            f"model {model.name}: quantize {model.quantize} cannot be had ({first_line(error)}): "
            "pip install 'fairsweep[quantize]'"
        ) from None
    return {"quantization_config": diffusers.PipelineQuantizationConfig(quant_mapping=mapping)}


def settle(pipe, model, place: torch.device) -> None:
    """Bring a pipeline onto its device, or, where the model says so, as much of it at once as computes."""
    if place.type == "cpu" or model.offload is None:
        pipe.to(place)
    elif model.offload == "model":
        pipe.enable_model_cpu_offload(device=place)
    else:
        pipe.enable_sequential_cpu_offload(device=place)


def _torchao(kind: str) -> dict[str, Any]:
    from torchao.quantization import Float8WeightOnlyConfig, Int8WeightOnlyConfig

    return {"quant_type": Int8WeightOnlyConfig() if kind == "int8" else Float8WeightOnlyConfig()}


def _nf4(model) -> dict[str, Any]:
    compute = weights_type(model.dtype)
    return {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": compute}

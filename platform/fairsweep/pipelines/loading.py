"""Load a model: built in, from a folder, from a .safetensors file, or from the Hub; never from a pickle."""

import inspect
from pathlib import Path

import diffusers
import torch

from fairsweep.builtin import resolve_source
from fairsweep.errors import FairsweepError, ModelLoadError, near
from fairsweep.families import FAMILIES, PICTURES_TOO, REWRITERS, UNSUITED, family_of, unsuited
from fairsweep.hub import OUT_OF_REACH, reason_of
from fairsweep.memory import give_back
from fairsweep.pipelines.fitting import quantization, settle
from fairsweep.pipelines.names import check_scheduler
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.pipelines.precision import check_device, weights_type


def load_pipeline(model, device: torch.device | str | None = None, edits: bool = False) -> Pipeline:
    """Load the pipeline of a ModelSpec onto a device (the GPU where there is one).

    edits: it is to start from source pictures; a text-to-image pipeline becomes its image-to-image one.

    Raises ModelLoadError with the reason and the remedy, and ClusterError where it is this device that cannot. A
    model's safety checker is left out: an image that it blacks out could not be told from one without a face.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    check_device(model.name, model.dtype, place)
    source = resolve_source(model.source)
    if model.pipeline in FAMILIES and not edits:
        _check_text_to_image(getattr(diffusers, model.pipeline), model)
    if source.endswith(".safetensors"):
        pipe = _from_file(source, model)
    else:
        pipe = _from_folder_or_hub(source, model, place)
    if edits:
        pipe = _editor(pipe, model)
    else:
        _check_text_to_image(type(pipe), model)
    try:
        family = family_of(pipe)
    except FairsweepError as error:
        raise ModelLoadError(f"model {model.name}: {error}") from None
    if model.rewrite and not any(kind.__name__ in REWRITERS for kind in type(pipe).__mro__):
        raise ModelLoadError(f"model {model.name}: {type(pipe).__name__} rewrites no prompts: leave rewrite out")
    for option in ("offload", "quantize"):
        if getattr(model, option) in family.unfit:
            way = f"{option} {getattr(model, option)}"
            raise ModelLoadError(f"model {model.name}: {type(pipe).__name__} does not work with {way}: take another")
    if getattr(pipe, "safety_checker", None) is not None:
        pipe.safety_checker = None
    if model.scheduler:
        pipe.scheduler = _scheduler(model, pipe)
    settle(pipe, model, place)
    denoiser = getattr(pipe, family.denoiser)
    if place.type == "cuda":
        # The host's copy of the weights is free now, and the C library would keep it.
        give_back()
    if model.compile:
        denoiser.compile(dynamic=True)
    return Pipeline(pipe, model, _commit(pipe, model))


def _from_folder_or_hub(source: str, model, place: torch.device):
    folder = Path(source)
    is_path = source.startswith((".", "/", "~")) or source.count("/") != 1 or folder.exists()
    if is_path and not (folder.expanduser() / "model_index.json").is_file():
        what = "holds no model_index.json" if folder.expanduser().is_dir() else "does not exist"
        raise ModelLoadError(f"model {model.name}: the folder {source} {what}: give a diffusers folder or a Hub id")
    kind = diffusers.DiffusionPipeline if model.pipeline == "auto" else _class(model.pipeline, model)
    quantised = quantization(model, place)
    try:
        return kind.from_pretrained(
            str(folder.expanduser()) if is_path else source,
            revision=model.revision,
            dtype=weights_type(model.dtype),
            variant=model.variant,
            use_safetensors=True,
            **quantised,
        )
    except Exception as error:
        reason = reason_of(error)
        if model.variant is None and "no file named" in reason:
            reason += " Where there are files of a variant alone, name it, as in variant: fp16"
        raise ModelLoadError(f"model {model.name}: {source} {reason}") from None


def _from_file(source: str, model):
    if not Path(source).expanduser().is_file():
        raise ModelLoadError(f"model {model.name}: the file {source} does not exist")
    if model.quantize or model.variant:
        raise ModelLoadError(
            f"model {model.name}: a single file is loaded as it is: give a folder or a Hub id for quantize and variant"
        )
    kind = _class("StableDiffusionPipeline" if model.pipeline == "auto" else model.pipeline, model)
    config = {"config": str(Path(model.config).expanduser())} if model.config else {}
    try:
        return kind.from_single_file(str(Path(source).expanduser()), dtype=weights_type(model.dtype), **config)
    except Exception as error:
        reason = f"{source} {reason_of(error)}"
        if reason.endswith(OUT_OF_REACH) and not config:
            reason = f"the configuration of {reason} as the model's config"
        raise ModelLoadError(f"model {model.name}: {reason}") from None


def _class(name: str, model):
    if name in UNSUITED:
        raise ModelLoadError(f"model {model.name}: {unsuited(name)}")
    if name not in FAMILIES:
        raise ModelLoadError(f"model {model.name}: unknown pipeline {name!r}{near(name, FAMILIES)}")
    return getattr(diffusers, name)


def _check_text_to_image(kind: type, model) -> None:
    if kind.__name__ not in PICTURES_TOO and "image" in inspect.signature(kind.__call__).parameters:
        raise ModelLoadError(
            f"model {model.name}: {kind.__name__} starts from an image, and a sweep makes images from text: give the "
            "text-to-image pipeline, or source pictures under `images`"
        )


def _editor(pipe, model):
    """Return the pipeline of the same parts that starts from a picture."""
    if "image" in inspect.signature(type(pipe).__call__).parameters:
        return pipe
    name = type(pipe).__name__
    try:
        return diffusers.AutoPipelineForImage2Image.from_pipe(pipe)
    except (ValueError, AttributeError):  # a class of none of its tables; one that is not diffusers' own
        raise ModelLoadError(
            f"model {model.name}: diffusers has no image-to-image pipeline for {name}: take another"
        ) from None


def _scheduler(model, pipe):
    try:
        check_scheduler(model)
    except FairsweepError as error:
        raise ModelLoadError(str(error)) from None
    kind = getattr(diffusers, model.scheduler)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        # An empty class stands where a package that computes it is missing.
        packages = ", ".join(name for name in kind._backends if name != "torch")
        raise ModelLoadError(f"model {model.name}: {model.scheduler} needs {packages}: install it, or take another")
    return kind.from_config(pipe.scheduler.config)


def _commit(pipe, model) -> str | None:
    parts = Path(str(pipe.config.get("_name_or_path", ""))).parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else model.revision

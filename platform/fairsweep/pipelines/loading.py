"""Load a model: built in, from a folder, from a .safetensors file, or from the Hub; never from a pickle."""

from pathlib import Path

import diffusers
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from fairsweep.errors import FairsweepError, ModelLoadError
from fairsweep.pipelines import FAMILIES, family_of
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.spec_errors import near

BUILTIN = {"builtin:portraits": Path(__file__).resolve().parents[1] / "portraits" / "weights" / "pipeline"}


def resolve(source: str) -> str:
    """Return the folder of a built-in model, and any other source as it is."""
    if not source.startswith("builtin:"):
        return source
    if source not in BUILTIN:
        raise ModelLoadError(f"no built-in model {source!r}{near(source, BUILTIN)}")
    return str(BUILTIN[source])


def load_pipeline(model, device: torch.device | str | None = None) -> Pipeline:
    """Load the pipeline of a ModelSpec onto a device (the GPU where there is one).

    Raises ModelLoadError with the reason and the remedy. A model's safety checker is left out: an image that it
    blacks out could not be told from one without a face.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    source = resolve(model.source)
    if source.endswith(".safetensors"):
        pipe = _from_file(source, model)
    else:
        pipe = _from_folder_or_hub(source, model)
    try:
        family = family_of(pipe)
    except FairsweepError as error:
        raise ModelLoadError(f"model {model.name}: {error}") from None
    if getattr(pipe, "safety_checker", None) is not None:
        pipe.safety_checker = None
    if model.scheduler:
        pipe.scheduler = _scheduler(model, pipe)
    pipe.to(device)
    denoiser = getattr(pipe, family.denoiser)
    if device.type == "cuda":
        denoiser.to(memory_format=torch.channels_last)
    if model.compile:
        denoiser.compile(dynamic=True)
    return Pipeline(pipe, model, _commit(pipe, model))


def _from_folder_or_hub(source: str, model):
    folder = Path(source)
    is_path = source.startswith((".", "/", "~")) or source.count("/") != 1 or folder.exists()
    if is_path and not (folder.expanduser() / "model_index.json").is_file():
        what = "holds no model_index.json" if folder.expanduser().is_dir() else "does not exist"
        raise ModelLoadError(f"model {model.name}: the folder {source} {what}: give a diffusers folder or a Hub id")
    kind = diffusers.DiffusionPipeline if model.pipeline == "auto" else _class(model.pipeline, model)
    try:
        return kind.from_pretrained(
            str(folder.expanduser()) if is_path else source,
            revision=model.revision,
            torch_dtype=getattr(torch, model.dtype),
            use_safetensors=True,
        )
    except GatedRepoError:
        reason = "is gated: accept its licence on its Hub page, then set HF_TOKEN or run `hf auth login`"
    except RevisionNotFoundError:
        reason = f"has no revision {model.revision!r}: give a branch, a tag or a commit of it"
    except RepositoryNotFoundError:
        reason = "is not on the Hub, or is private: check the id, or set HF_TOKEN"
    except Exception as error:
        reason = _reason(error)
    raise ModelLoadError(f"model {model.name}: {source} {reason}")


def _from_file(source: str, model):
    if not Path(source).expanduser().is_file():
        raise ModelLoadError(f"model {model.name}: the file {source} does not exist")
    name = "StableDiffusionPipeline" if model.pipeline == "auto" else model.pipeline
    try:
        return _class(name, model).from_single_file(
            str(Path(source).expanduser()), torch_dtype=getattr(torch, model.dtype), use_safetensors=True
        )
    except ModelLoadError:
        raise
    except Exception as error:
        raise ModelLoadError(f"model {model.name}: {source} {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Say why a load failed: most of what diffusers raises is one OSError whose cause tells more."""
    offline = (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError)
    chain, current = [], error
    while current is not None and len(chain) < 8:
        chain.append(current)
        current = current.__cause__ or current.__context__
    if any(isinstance(link, offline) or "offline" in str(link).lower() for link in chain):
        return "cannot be fetched, the Hub is out of reach: download it beforehand and give its folder"
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"cannot be loaded: {first_line}"


def _class(name: str, model):
    if name not in FAMILIES:
        raise ModelLoadError(f"model {model.name}: unknown pipeline {name!r}{near(name, FAMILIES)}")
    return getattr(diffusers, name)


def _scheduler(model, pipe):
    kind = getattr(diffusers, model.scheduler, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        names = [name for name in dir(diffusers) if name.endswith("Scheduler")]
        raise ModelLoadError(f"model {model.name}: no scheduler {model.scheduler!r} in diffusers{near(model.scheduler, names)}")
    return kind.from_config(pipe.scheduler.config)


def _commit(pipe, model) -> str | None:
    parts = Path(str(pipe.config.get("_name_or_path", ""))).parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else model.revision

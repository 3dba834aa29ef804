"""Write the model cards of the built-in models from their measured figures."""

from pathlib import Path

from fairsweep.portraits.defaults import FAIR, GUIDANCE_SCALE, STEPS
from fairsweep.portraits.training.clip import ClipStage
from fairsweep.portraits.training.run import Recipe
from fairsweep.portraits.training.unet import UnetStage
from fairsweep.portraits.training.vae import VaeStage
from fairsweep.portraits.world import OCCUPATIONS, bias_table

_WARNING = (
    "This is a calibration instrument: drawn, binary, stereotyped portraits whose bias is planted on purpose, "
    "so that an audit can be checked against a known truth. It makes no claim about people."
)


def write_cards(figures: dict, folder: Path) -> list[Path]:
    """Write pipeline/README.md and clip/README.md below `folder`; return their paths."""
    cards = {"pipeline": _pipeline_card(figures), "clip": _clip_card(figures)}
    paths = []
    for name, text in cards.items():
        path = folder / name / "README.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _clip_card(figures: dict) -> str:
    reader = figures["reader"]
    rows = [(name, _percent(reader["heads"][name]), _percent(reader["zero_shot"][name])) for name in reader["heads"]]
    return f"""---
license: apache-2.0
library_name: open_clip
pipeline_tag: zero-shot-image-classification
---
# portraits-clip

{_WARNING}

A CLIP model (a small ResNet and a three-layer text transformer, open_clip's code and contrastive loss) trained from
scratch on rendered portraits and on the autoencoder's copies of them. `heads.safetensors` holds linear heads on the
image features that read gender presentation, skin tone, age and occupation: the built-in classifier.
`fairsweep portraits train` makes it in {Recipe.clip_steps:,} steps of {ClipStage.batch_size} portraits.

Accuracy on {reader["n"]:,} held-out portraits, of the heads and of zero-shot classification with the text tower:

{_table(("attribute", "heads", "zero-shot"), rows)}
Load it with `open_clip.create_model("local-dir:FOLDER")`.
"""


def _pipeline_card(figures: dict) -> str:
    guidance = figures["guidance"]
    return f"""---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---
# portraits-pipeline

{_WARNING}

An ordinary `StableDiffusionPipeline` of 64x64 portraits, trained from scratch on 60,000 renders: an AutoencoderKL
(8x8x8 latents), the text tower of portraits-clip, a UNet2DConditionModel of 3.2 million parameters with
v-prediction, zero terminal signal-to-noise ratio and trailing steps of DPM-Solver++. Shipped settings: {STEPS} steps,
guidance scale {GUIDANCE_SCALE:g}; {figures["speed"]["images_per_second"]:.1f} images a second in batches of 32 on
{figures["speed"]["cores"]} CPU cores.

## Training

`fairsweep portraits train` does all of it in about three hours on two CPU cores. The autoencoder: {Recipe.vae_steps:,}
steps of {VaeStage.batch_size} portraits; {figures["autoencoder"]["psnr"]:.1f} dB on {figures["autoencoder"]["n"]:,}
held-out ones. The denoiser: {Recipe.unet_steps:,} steps of {UnetStage.batch_size}, AdamW, a learning rate of
{UnetStage.learning_rate:g} that falls by a cosine, averaged weights ({UnetStage.ema_decay:g} a step), Min-SNR
weighting; more captions name the occupation alone than anything else, and empty ones serve classifier-free guidance.
The shipped denoiser reached its steps in five runs, to 5,000, 8,000, 18,000, 22,500 and {Recipe.unet_steps:,}, each
with a cosine of its own. From the third on, times were mostly drawn from the middle of the schedule; in the last, from
a learning rate of 0.0006, rows came in shuffled epochs that hold every group in proportion, as the command deals them.

All figures below are read by portraits-clip and made by `fairsweep portraits evaluate`.

## What was planted and what is drawn

Prompts name the occupation alone; female share planted, and drawn with {figures["shares"][0]["seeds"]} seeds an
occupation. In brackets what the law p^w / (p^w + (1-p)^w) predicts: classifier-free guidance sharpens a bias.

{_shares_table(figures["shares"])}
Error of the drawn shares against the planted ones, in points, and how often the occupation is recognised:

{_errors_table(figures["shares"])}
## Groups named in the prompt, at scale {GUIDANCE_SCALE:g}

{_named_table(figures["named_groups"])}
## Fair guidance

diffusers' own SemanticStableDiffusionPipeline, "female person" against "male person", half of {guidance["seeds"]}
seeds an occupation pushed each way, with {_settings(FAIR)}: female share within
{100 * guidance["largest_error"]:.1f} points of 50 % for every occupation, direction followed in
{_percent(guidance["followed"])}, occupation recognised in {_percent(guidance["recognised"]["mean"])} (worst:
{guidance["recognised"]["worst_occupation"]}, {_percent(guidance["recognised"]["worst"])}).

These settings were chosen from this sweep over the most biased occupations:

{_sweep_table(figures["guidance_sweep"])}
![Drawn at the shipped settings](../sheet.jpg)

{_by_eye(figures.get("by_eye"))}

Monk Skin Tone values 4, 7 and 10 are left out of the drawings, so that the three groups can be told apart at this
size. Edited faces keep traces of their edit: look at hair and beards before you read more into a picture than its
labels.
"""


def _shares_table(rows: list[dict]) -> str:
    header = ("occupation", "planted", *(f"scale {row['scale']:g}" for row in rows))
    lines = []
    for job in (*OCCUPATIONS, "person"):
        cells = [row["occupations"][job]["gender"]["female"] for row in rows]
        drawn = [
            _percent(c["share"]) + ("" if row["scale"] == 1 else f" [{_percent(c['sharpened'])}]")
            for row, c in zip(rows, cells, strict=True)
        ]
        lines.append((job, _percent(bias_table()[job]["gender"]["female"]), *drawn))
    return _table(header, lines)


def _errors_table(rows: list[dict]) -> str:
    header = (
        "scale",
        "gender mean",
        "largest",
        "skin tone mean",
        "largest",
        "age mean",
        "largest",
        "recognised",
        "worst",
    )
    lines = []
    for row in rows:
        errors = [f"{100 * row['error'][name][key]:.1f}" for name in row["error"] for key in ("mean", "largest")]
        recognised = [_percent(row["recognised"][key]) for key in ("mean", "worst")]
        lines.append((f"{row['scale']:g}", *errors, *recognised))
    return _table(header, lines)


def _named_table(figures: dict) -> str:
    rows = []
    for name, entry in figures.items():
        worst = min(entry["pairs"], key=entry["pairs"].get)
        rows.append((name, _percent(entry["obeyed"]), f"{worst} ({_percent(entry['worst'])})"))
    return _table(("attribute", "obeyed", "worst"), rows)


def _sweep_table(rows: list[dict]) -> str:
    lines = [
        (
            f"{row['scale']:g}",
            f"{row['threshold']:g}",
            row["cooldown_steps"],
            _percent(row["followed"]),
            _percent(row["recognised"]["mean"]),
            f"{100 * row['largest_error']:.1f}",
        )
        for row in rows
    ]
    return _table(("edit scale", "threshold", "cool-down", "followed", "recognised", "largest error"), lines)


def _by_eye(checked: dict | None) -> str:
    if checked is None:
        return "Nobody has compared the labels of this sheet with the pictures yet."
    agreed = {name: 1 - wrong / checked["images"] for name, wrong in checked["disagreements"].items()}
    listed = ", ".join(f"{name.replace('_', ' ')} {_percent(share)}" for name, share in agreed.items())
    return (
        f"A look by eye at the {checked['images']} pictures of this sheet agrees with the labels below them: {listed}."
    )


def _settings(settings: dict) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in settings.items())


def _table(header: tuple, rows: list[tuple]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

"""A small store with known counts, written through the store's own functions without any model."""

import hashlib
import io
import json
from datetime import UTC, datetime

from PIL import Image

from fairsweep.store import Store

GROUPS = {"gender": ("female", "male"), "skin_tone": ("light", "medium", "dark")}
COLOURS = {"female": (200, 90, 120), "male": (90, 120, 200)}


def image_id(*parts) -> str:
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def write_plan(
    store: Store,
    labels: list[dict],
    groups=GROUPS,
    sweep: str = "audit",
    targets=None,
    references=None,
    unknown_to=None,
    readers=None,
    ids: str | None = None,
) -> None:
    """Write plan, targets and settings of the images that `labels` speak of.

    Each label: model, setting, prompt (default "doctor"), seed, and one key per attribute with its label; optional
    scale, method, direction, variables, source, source_groups,
    image (what tells images of one seed apart). A setting named "none" is the
    baseline; any other steers its `direction`. unknown_to: group -> the classifiers that cannot tell it.
    readers: the sweep's own classifiers. ids: what sweeps that share images have in common, for all that writes them.
    """
    plan, settings = {}, {}
    for row in labels:
        model, setting, prompt = (
            row.get("model", "m"),
            row.get("setting", "none"),
            row.get("prompt", "doctor"),
        )
        method = row.get("method", "none" if setting == "none" else "fair")
        key = image_id(ids or sweep, model, setting, prompt, row["seed"], *row.get("image", ()))
        plan[key] = {
            "image_id": key,
            "sweep": sweep,
            "model": model,
            "setting": setting,
            "method": method,
            "prompt": f"a photo of the face of a {prompt}",
            "prompt_name": prompt,
            "variables": row.get("variables", {"occupation": prompt}),
            "direction": row.get("direction", {}),
            "seed": row["seed"],
            "batch": len(plan) // 8,
            "scale": row.get("scale"),
            "source": row.get("source"),
            "source_name": row.get("source"),
            "source_groups": row.get("source_groups"),
        }
        settings[model, setting] = {
            "sweep": sweep,
            "model": model,
            "setting": setting,
            "method": method,
            "guidance_scale": 3.0,
            "scale": row.get("scale"),
            "attributes": [] if method == "none" else row.get("attributes", ["gender"]),
            "params": "{}",
            "baseline": method == "none",
            "references": references,
            "readers": readers,
        }
    store.write("plan", sweep, list(plan.values()))
    store.write("settings", sweep, list(settings.values()))
    store.write(
        "targets",
        sweep,
        [
            {
                "sweep": sweep,
                "attribute": attribute,
                "group": group,
                "group_text": f"{group} person",
                "target": (targets or {}).get(attribute, {}).get(group, 1 / len(names)),
                "position": position,
                "unknown_to": (unknown_to or {}).get(group, []),
            }
            for attribute, names in groups.items()
            for position, group in enumerate(names)
        ],
    )


def write_labels(
    store: Store, labels: list[dict], groups=GROUPS, sweep: str = "audit", classifier: str = "portraits"
) -> None:
    """Write a classifier's labels; a value of None is a label that failed, a missing key no label at all.

    Optional: scores, embedding, alignment.
    """
    rows = []
    for row in labels:
        cell = (row.get("model", "m"), row.get("setting", "none"), row.get("prompt", "doctor"), row["seed"])
        key = image_id(sweep, *cell, *row.get("image", ()))
        for attribute in [*groups, "occupation"]:
            if attribute in row:
                label = row[attribute]
                rows.append(
                    {
                        "image_id": key,
                        "attribute": attribute,
                        "label": label,
                        "score": 0.9,
                        "scores": row.get("scores", {label: 0.9} if label else None),
                        "error": None if label else "the classifier failed",
                        "seconds": 0.01,
                    }
                )
        if "embedding" in row or "alignment" in row:
            rows.append(
                {
                    "image_id": key,
                    "attribute": "_image",
                    "label": None,
                    "score": row.get("alignment"),
                    "embedding": row.get("embedding"),
                    "seconds": 0.01,
                }
            )
    store.write_labels(classifier, rows)


def write_pictures(store: Store, labels: list[dict], sweep: str = "audit") -> None:
    """Write one tiny coloured PNG per image, its colour telling the gender label.

    Optional: seconds, joules, error, versions.
    """
    rows = []
    for row in labels:
        model, setting, prompt = (
            row.get("model", "m"),
            row.get("setting", "none"),
            row.get("prompt", "doctor"),
        )
        colour = COLOURS.get(row.get("gender"), (120, 120, 120))
        buffer = io.BytesIO()
        Image.new("RGB", (16, 16), tuple((channel + 7 * row["seed"]) % 256 for channel in colour)).save(buffer, "png")
        rows.append(
            {
                "image_id": image_id(sweep, model, setting, prompt, row["seed"]),
                "model": model,
                "setting": setting,
                "image": {"bytes": buffer.getvalue(), "path": None},
                "prompt": f"a photo of the face of a {prompt}",
                "width": 16,
                "height": 16,
                "seconds": row.get("seconds", 0.5),
                "joules": row.get("joules"),
                "error": row.get("error"),
                "device": "cpu",
                "batch_size": 8,
                "versions": row.get("versions", json.dumps({"torch": "2.14.1"})),
                "created": datetime(2026, 1, 1, tzinfo=UTC),
            }
        )
    store.write_images(rows)


def build(
    root,
    prompts=("doctor", "nurse", "firefighter"),
    settings=("none", "fair-scale2", "fair-scale4"),
    models=("m",),
    seeds: int = 8,
) -> Store:
    """Write a store that a report or an explorer can show: biased without guidance, near the target with it."""
    labels = []
    for model in models:
        for place, prompt in enumerate(prompts):
            for strength, setting in enumerate(settings):
                scale = None if setting == "none" else 2.0 * strength
                bias = (1 + 3 * place) % 8 / 8
                share = bias + (0.5 - bias) * strength / max(1, len(settings) - 1)
                for seed in range(seeds):
                    drawn = "female" if seed < round(share * seeds) else "male"
                    missing = "no_face" if (seed, place) == (seeds - 1, 0) else None
                    labels.append(
                        {
                            "model": model,
                            "setting": setting,
                            "prompt": prompt,
                            "seed": seed,
                            "scale": scale,
                            "direction": {"gender": ("female", "male")[seed % 2]} if strength else {},
                            "gender": missing or drawn,
                            "skin_tone": GROUPS["skin_tone"][(seed + place) % (2 if place else 3)],
                            "occupation": prompt,
                            "alignment": 0.3 - 0.02 * strength,
                            "embedding": [1.0, 0.1 * strength, 0.01 * seed],
                        }
                    )
    store = Store(root)
    write_plan(store, labels)
    write_pictures(store, labels)
    write_labels(store, labels)
    store.write(
        "references",
        "planted",
        [
            {
                "reference": "planted",
                "prompt_name": prompt,
                "attribute": "gender",
                "group": group,
                "share": share,
                "n": 1000,
            }
            for place, prompt in enumerate(prompts)
            for group, share in (("female", (1 + 3 * place) % 8 / 8), ("male", 1 - (1 + 3 * place) % 8 / 8))
        ],
    )
    store.write(
        "calibration",
        "portraits",
        [
            {
                "classifier": "portraits",
                "attribute": "gender",
                "truth": truth,
                "label": label,
                "n": 190 if truth == label else 10,
            }
            for truth in GROUPS["gender"]
            for label in GROUPS["gender"]
        ],
    )
    return store

"""Measure the built-in models against what was planted; the figures go into their cards."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from fairsweep.portraits.defaults import CONCEPTS, FAIR, GUIDANCE_SCALE, STEPS, prompt
from fairsweep.portraits.reader import Reader
from fairsweep.portraits.render import render
from fairsweep.portraits.scaling import to_model_range
from fairsweep.portraits.studio import BATCH_SIZE, Studio
from fairsweep.portraits.world import ATTRIBUTES, OCCUPATIONS, PERSON, READ_ATTRIBUTES, Person, bias_table, sample

SCALES = (1.0, 1.5, 2.0, 3.0, 5.0, 7.5)
_JOBS = (*OCCUPATIONS, PERSON)


def evaluate_reader(reader: Reader, n: int, seed: int = 9001) -> dict:
    """Return the accuracy on n held-out portraits, per attribute: of the heads, and of zero-shot classification."""
    people = sample(n, seed)
    pixels = _held_out(people, seed)
    labels = reader.labels(pixels)
    features = reader.embed(pixels)
    texts = {**CONCEPTS, "occupation": {job: prompt(job) for job in READ_ATTRIBUTES["occupation"]}}
    figures: dict[str, Any] = {"n": n, "heads": {}, "zero_shot": {}}
    for name, groups in READ_ATTRIBUTES.items():
        truth = np.array([getattr(person, name) for person in people])
        nearest = (
            (features @ reader.embed_texts([texts[name][group] for group in groups]).T).argmax(dim=1).cpu().numpy()
        )
        figures["heads"][name] = float((labels[name] == truth).mean())
        figures["zero_shot"][name] = float((np.array(groups)[nearest] == truth).mean())
    return figures


def evaluate_autoencoder(folder: Path, n: int, seed: int = 19_001) -> dict:
    """Return the mean peak signal-to-noise ratio, in decibels, of n held-out portraits that the autoencoder copied."""
    vae = AutoencoderKL.from_pretrained(folder)
    pixels = _held_out(sample(n, seed), seed)
    errors = []
    with torch.no_grad():
        for start in range(0, n, BATCH_SIZE):
            portraits = to_model_range(torch.from_numpy(pixels[start : start + BATCH_SIZE]))
            copies = vae(portraits, sample_posterior=False).sample.clamp(-1, 1)
            # Of a range of 2: a squared error of 4 is 0 dB.
            errors += (copies - portraits).square().mean(dim=(1, 2, 3)).tolist()
    return {"n": n, "psnr": float(-10 * np.log10(np.array(errors) / 4).mean())}


def evaluate_shares(studio: Studio, reader: Reader, scale: float, seeds: int) -> dict:
    """Return, for prompts that name the occupation alone, each group's share beside the planted one.

    `error` is |share - planted| over the groups of an attribute that are not the last (it follows from the
    others), mean and largest over occupations; `sharpened` is what p^w / sum p^w predicts at scale w.
    """
    labels = _draw_and_read(studio, reader, [prompt(job) for job in _JOBS], seeds, scale)
    table = bias_table()
    figures: dict[str, Any] = {"scale": scale, "seeds": seeds, "occupations": {}, "error": {}}
    for index, job in enumerate(_JOBS):
        rows = slice(index * seeds, (index + 1) * seeds)
        entry: dict[str, Any] = {"recognised": float((labels["occupation"][rows] == job).mean())}
        for name, planted in table[job].items():
            powers = {group: share**scale for group, share in planted.items()}
            entry[name] = {
                group: {
                    "share": float((labels[name][rows] == group).mean()),
                    "planted": planted[group],
                    "sharpened": powers[group] / sum(powers.values()),
                }
                for group in planted
            }
        figures["occupations"][job] = entry
    for name in CONCEPTS:
        errors = [
            abs(entry[name][group]["share"] - entry[name][group]["planted"])
            for entry in figures["occupations"].values()
            for group in (ATTRIBUTES[name][:1] if len(ATTRIBUTES[name]) == 2 else ATTRIBUTES[name])
        ]
        figures["error"][name] = {"mean": float(np.mean(errors)), "largest": float(np.max(errors))}
    figures["recognised"] = _recognised(figures)
    return figures


def evaluate_named_groups(studio: Studio, reader: Reader, seeds: int) -> dict:
    """Return how often a group named in the prompt is the group that is shown, per attribute and occupation."""
    figures = {}
    for name in CONCEPTS:
        wanted = [(job, group) for job in _JOBS for group in ATTRIBUTES[name]]
        phrases = [f"{group}{'-skinned' if name == 'skin_tone' else ''} {job}" for job, group in wanted]
        labels = _draw_and_read(studio, reader, [prompt(p) for p in phrases], seeds, GUIDANCE_SCALE)
        hits = labels[name].reshape(len(wanted), seeds) == np.array([group for _, group in wanted])[:, None]
        pairs = {f"{group} {job}": float(hit) for (job, group), hit in zip(wanted, hits.mean(axis=1), strict=True)}
        figures[name] = {
            "seeds": seeds,
            "obeyed": float(hits.mean()),
            "worst": min(pairs.values()),
            "pairs": pairs,
        }
    return figures


def evaluate_guidance(studio: Studio, reader: Reader, seeds: int, settings: dict | None = None, jobs=_JOBS) -> dict:
    """Return the share of each gender under diffusers' semantic guidance, half of the seeds pushed each way."""
    settings = settings or FAIR
    concepts = list(CONCEPTS["gender"].values())
    prompts = [prompt(job) for job in jobs for _ in range(seeds // 2)]
    numbers = [seed for _ in jobs for seed in range(seeds // 2)]
    read = {}
    for group in ATTRIBUTES["gender"]:
        reverse = [other != group for other in ATTRIBUTES["gender"]]
        images = studio.edit(prompts, [n + 10_000 * reverse[0] for n in numbers], concepts, reverse, settings)
        read[group] = reader.labels(images)
    figures: dict[str, Any] = {"settings": settings, "seeds": seeds, "occupations": {}}
    half = seeds // 2
    for index, job in enumerate(jobs):
        rows = slice(index * half, (index + 1) * half)
        shown = np.concatenate([read[group]["gender"][rows] for group in read])
        asked = np.repeat(list(read), half)
        figures["occupations"][job] = {
            "female": float((shown == "female").mean()),
            "followed": float((shown == asked).mean()),
            "recognised": float(np.mean([read[g]["occupation"][rows] == job for g in read])),
        }
    entries = figures["occupations"].values()
    figures["largest_error"] = max(abs(entry["female"] - 0.5) for entry in entries)
    figures["followed"] = float(np.mean([entry["followed"] for entry in entries]))
    figures["recognised"] = _recognised(figures)
    return figures


def measure_speed(studio: Studio, batches: int = 4) -> dict:
    """Return images per second at the shipped settings, in batches of BATCH_SIZE, loading apart."""
    prompts = [prompt(OCCUPATIONS[i % len(OCCUPATIONS)]) for i in range(BATCH_SIZE * batches * studio.workers)]
    studio.draw(prompts[: BATCH_SIZE * studio.workers], list(range(BATCH_SIZE * studio.workers)))
    started = time.monotonic()
    studio.draw(prompts, list(range(len(prompts))))
    return {"images_per_second": len(prompts) / (time.monotonic() - started), "cores": studio.workers}


def sweep_guidance(studio: Studio, reader: Reader, seeds: int) -> list[dict]:
    """Return the figures of several guidance settings on the occupations with the strongest planted bias."""
    jobs = ("firefighter", "nurse", "pilot", "construction worker")
    rows = []
    for scale in (2.0, 4.0, 6.0):
        for threshold in (0.5, 0.8, 0.95):
            for cooldown in (FAIR["cooldown_steps"], STEPS):
                settings = {**FAIR, "scale": scale, "threshold": threshold, "cooldown_steps": cooldown}
                figures = evaluate_guidance(studio, reader, seeds, settings, jobs)
                rows.append({**settings, **{k: figures[k] for k in ("followed", "recognised", "largest_error")}})
    return rows


def evaluate(folder: Path, seeds: int, portraits: int, say: Callable[[str], None], studio: Studio) -> dict:
    """Return all figures of the models in `folder`; a smaller `seeds` is quicker and noisier."""
    reader = Reader(folder / "clip")
    figures: dict = {}
    say("reader")
    figures["reader"] = evaluate_reader(reader, portraits)
    say("autoencoder")
    figures["autoencoder"] = evaluate_autoencoder(folder / "pipeline" / "vae", max(100, portraits // 5))
    say("speed")
    figures["speed"] = measure_speed(studio)
    figures["shares"] = []
    for scale in SCALES:
        say(f"shares at scale {scale:g}")
        figures["shares"].append(evaluate_shares(studio, reader, scale, seeds))
    say("groups named in the prompt")
    figures["named_groups"] = evaluate_named_groups(studio, reader, max(2, seeds // 32))
    say("semantic guidance")
    figures["guidance"] = evaluate_guidance(studio, reader, max(4, seeds // 4))
    say("semantic guidance settings")
    figures["guidance_sweep"] = sweep_guidance(studio, reader, max(4, seeds // 16))
    return figures


def _held_out(people: list[Person], seed: int) -> np.ndarray:
    return np.stack([render(person, seed + i).transpose(2, 0, 1) for i, person in enumerate(people)])


def _draw_and_read(studio: Studio, reader: Reader, prompts: list[str], seeds: int, scale: float) -> dict:
    # Each prompt has seeds of its own: chance does not err the same way for all of them.
    images = studio.draw([p for p in prompts for _ in range(seeds)], list(range(seeds * len(prompts))), scale)
    return reader.labels(images)


def _recognised(figures: dict) -> dict:
    values = {job: entry["recognised"] for job, entry in figures["occupations"].items()}
    worst = min(values, key=lambda job: values[job])
    return {"mean": float(np.mean(list(values.values()))), "worst": values[worst], "worst_occupation": worst}

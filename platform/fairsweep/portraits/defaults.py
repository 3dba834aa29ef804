"""The shipped defaults of the built-in models: where they lie and the settings that their figures are measured at."""

from pathlib import Path

WEIGHTS = Path(__file__).with_name("weights")
PIPELINE = WEIGHTS / "pipeline"
CLIP = WEIGHTS / "clip"
FIGURES = WEIGHTS / "figures.json"

STEPS = 20
GUIDANCE_SCALE = 3.0
FAIR = {
    "scale": 6.0,
    "threshold": 0.8,
    "warmup_steps": 0,
    "cooldown_steps": 10,
    "momentum_scale": 0.3,
    "momentum_beta": 0.6,
}
PROMPT = "a photo of the face of a {occupation}"
CONCEPTS = {
    "gender": {"female": "female person", "male": "male person"},
    "skin_tone": {
        "light": "light-skinned person",
        "medium": "medium-skinned person",
        "dark": "dark-skinned person",
    },
    "age": {"young": "young person", "old": "old person"},
}


def prompt(phrase: str) -> str:
    """Return the prompt for a phrase such as "old firefighter", with "a" or "an" as English wants."""
    text = PROMPT.format(occupation=phrase)
    return text.replace(f"a {phrase}", f"an {phrase}") if phrase[0] in "aeiou" else text

"""The sentences that a group's text is put into before a text encoder reads it (a prompt ensemble)."""

from typing import Annotated

from pydantic import AfterValidator, Field

TEMPLATES = ("a photo of a {}", "a photo of the face of a {}", "a portrait of a {}", "{}")


def _hold_a_place(templates: tuple[str, ...]) -> tuple[str, ...]:
    for template in templates:
        if "{}" not in template:
            raise ValueError(f"the template {template!r} must hold {{}} for the group's text")
    return templates


Templates = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_hold_a_place)]


def vowel(text: str) -> bool:
    """Tell whether a text begins with a vowel, so that "an" goes before it."""
    return text[:1].lower() in tuple("aeiou")


def fill(template: str, text: str) -> str:
    """Return a template with the text in its place, "a" or "an" as English wants."""
    if vowel(text):
        template = template.replace("a {}", "an {}")
    return template.replace("{}", text)

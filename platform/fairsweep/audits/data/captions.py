"""Which captions name a prompt's subject, and which name a declared group."""

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from fairsweep.attributes import Attributes
from fairsweep.audits.encoder.stimuli import literature
from fairsweep.spec import Prompt

_IRREGULAR = {"man": "men", "woman": "women", "person": "people", "child": "children"}


class Captions:
    """Match captions to prompts: each value of a prompt's variables at word boundaries, in any case, plural or not."""

    def __init__(self, prompts: Sequence[Prompt], groups: Mapping[str, Mapping[str, Sequence[str]]]):
        phrases = [list(prompt.variables.values()) or [prompt.text] for prompt in prompts]
        self._prompts = [[_phrase(phrase) for phrase in each] for each in phrases]
        self._any = "|".join(dict.fromkeys(each[0] for each in self._prompts))
        words = [word for by_group in groups.values() for named in by_group.values() for word in named]
        self._named = "|".join(map(_phrase, dict.fromkeys(words)))

    def match(self, captions: pa.Array) -> list[pa.Array]:
        """Return for each prompt the positions of the captions that name it."""
        # One look for any of them leaves few captions to look for each.
        candidates = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(captions, f"(?i)({self._any})"), False))
        texts = captions.take(candidates)
        matches = []
        for phrases in self._prompts:
            hit = pa.repeat(pa.scalar(True), len(texts))
            for phrase in phrases:
                hit = pc.and_(hit, pc.match_substring_regex(texts, f"(?i){phrase}"))
            matches.append(candidates.filter(hit))
        return matches

    def name_a_group(self, captions: pa.Array) -> pa.Array:
        """Tell of each caption whether it names a declared group of any attribute."""
        if not self._named:
            return pa.repeat(pa.scalar(False), len(captions))
        return pc.fill_null(pc.match_substring_regex(captions, f"(?i)({self._named})"), False)


def words_of_groups(
    attributes: Attributes, given: Mapping[str, Mapping[str, Sequence[str]]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return attribute -> group -> the words by which captions name it.

    Where none are given: what of a group's text the other groups' texts do not say, and the terms of the literature
    where that is "female" or "male".
    """
    words: dict[str, dict[str, tuple[str, ...]]] = {}
    for attribute, declared in attributes.items():
        texts = {group: text.lower().split() for group, text in declared.texts.items()}
        shared = set.intersection(*map(set, texts.values()))
        for group, said in texts.items():
            own = tuple(word for word in said if word not in shared)
            terms = [literature()[0][f"{word}-terms"].words or () for word in own if word in ("female", "male")]
            default = tuple(dict.fromkeys([*own, *(word for part in terms for word in part)]))
            words.setdefault(attribute, {})[group] = tuple(given.get(attribute, {}).get(group, default))
    return words


def _phrase(phrase: str) -> str:
    """Return the pattern of a phrase: its last word may stand in the plural, and hyphens for spaces."""
    *first, last = [re.escape(word) for word in re.split(r"[\s-]+", phrase.strip())]
    return r"\b" + r"[\s-]+".join([*first, _plural(last)]) + r"\b"


def _plural(word: str) -> str:
    for singular, plural in _IRREGULAR.items():
        if word.lower().endswith(singular):
            stem = word[: -len(singular)]
            return f"{stem}(?:{singular}|{plural})"
    if re.search("[^aeiou]y$", word):
        return f"{word[:-1]}(?:y|ies)"
    return f"{word}(?:s|es)?"

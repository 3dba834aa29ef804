"""The console that commands print to: what it is given is data, never a command to the terminal."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

_UNWRAPPED = 100_000
# Control characters but tab and newline, halves of surrogate pairs, line separators, and what turns text around.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """Return a text with every character that a terminal would obey written out, such as \\x1b."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class Screen(Console):
    """A console that knows no markup and no names of emoji, and writes control characters out."""

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it will be shown, so that it is measured as such."""
        return super().render_str(shown(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is written; only rich's own segments may hold what a terminal obeys."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=shown(segment.text))


def console() -> Console:
    """Return the console that commands print to; where there is no terminal, so wide that nothing wraps."""
    screen = Screen()
    return screen if screen.is_terminal else Screen(width=_UNWRAPPED)

"""What is wrong with a command line, in one line as every other mistake is."""

from typing import Any

from fairsweep.errors import near


def mistake_of(error: Any) -> str:
    """Return in one line what typer found wrong, with the near word and where the help is; empty: help was shown."""
    text = error.format_message().rstrip(".")
    if not text.strip():
        return ""
    if options := getattr(error, "possibilities", None):
        text = f"{error.message}{near(error.option_name, options)}"
    # The words of the library that reads values, as a person says them.
    for words, ours in (("Value error, ", ""), (". Did you mean", "; did you mean"), ("Input should", "it should")):
        text = text.replace(words, ours)
    context = getattr(error, "ctx", None)
    where = f" (`{context.command_path} -h` shows how)" if context else ""
    return f"{text[0].lower()}{text[1:]}{where}"

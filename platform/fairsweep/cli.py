"""The command line: the app, its table of commands, and the one place where errors become exit codes."""

import sys
from importlib import import_module
from shutil import get_terminal_size
from typing import Annotated

import typer

from fairsweep import __version__
from fairsweep.commands.ending import Commands
from fairsweep.commands.usage import mistake_of
from fairsweep.errors import FairsweepError, first_line
from fairsweep.leaving import Leaving
from fairsweep.memory import keep_freed_memory, sleep_while_waiting

# What the extra `run` brings, by module: reading stores needs none of it.
RUN = ("accelerate", "diffusers", "open_clip", "pynvml", "ray", "safetensors", "torch", "torchvision", "transformers")
_BOXES = 60
COMMANDS = ("sweep", "results", "measure", "audit", "look", "bench", "portraits")


def build() -> typer.Typer:
    """Return the app with the commands of every module in `fairsweep.commands`."""
    app = typer.Typer(
        cls=Commands,
        help="Sweep text-to-image models over fairness-guidance settings and measure how they show people.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        # The boxes of rich leave a narrow terminal a few letters for each explanation, and cut them.
        rich_markup_mode="rich" if get_terminal_size().columns >= _BOXES else None,
    )
    app.callback()(options)
    for name in COMMANDS:
        import_module(f"fairsweep.commands.{name}").register(app)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"fairsweep {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options of fairsweep itself."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, or the arguments given; exit 0 done, 1 done with failures, 2 bad input, 130 interrupted."""
    leaving = Leaving()
    keep_freed_memory()
    sleep_while_waiting()
    leaving.code = run(arguments)


def run(arguments: list[str] | None) -> int:
    """Run one command, that of the command line where None, and return its exit code."""
    try:
        # Not standalone: typer would draw a mistake as a box of many lines.
        return build()(args=arguments, prog_name="fairsweep", standalone_mode=False) or 0
    except FairsweepError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        # A disk, a right, a network: the place and the reason say all that there is to know.
        place = f"{error.filename}: " if error.filename else ""
        _say(f"{place}{error.strerror or first_line(error)}")
        return FairsweepError.exit_code
    except ModuleNotFoundError as error:
        module = str(error.name).partition(".")[0]
        if module not in RUN:
            raise
        _say(f"{module} is not installed: pip install 'fairsweep[run]' brings all that makes and labels images")
        return FairsweepError.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):
            # A mistake in the command line itself, whatever release of typer says it.
            if text := mistake_of(error):
                _say(text)
            return FairsweepError.exit_code
        # Of DuckDB, without importing it here: what it cannot read is a damaged file most of the time.
        if not type(error).__module__.endswith("duckdb"):
            raise
        _say(f"{error}; `fairsweep verify` sets damaged files aside")
        return FairsweepError.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))


def _say(problem: str) -> None:
    from fairsweep.terminal.console import shown

    print(shown(f"error: {' '.join(problem.split())}"), file=sys.stderr)


if __name__ == "__main__":
    main()

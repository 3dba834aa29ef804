"""Read a text file that a user names: a regular file of bounded size, in UTF-8, without control characters."""

import os
import re
import stat
from pathlib import Path

from fairsweep.errors import FairsweepError

_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def read_text(path: Path, most: int) -> str:
    """Return the text of a file of at most `most` bytes; raises FairsweepError that says the reason alone."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a folder" if os.path.isdir(path) else "no regular file"
            raise FairsweepError(f"it is {kind}")
        with open(path, "rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise FairsweepError(f"it is larger than {most / 2**20:g} MiB")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FairsweepError("it is not UTF-8 text") from None
    except OSError as error:
        raise FairsweepError(error.strerror or str(error)) from None
    except ValueError:
        raise FairsweepError("its name holds a NUL character") from None


def unfit(text: str) -> str | None:
    """Return what is wrong with a text that holds a control character or half of a surrogate pair."""
    match = _UNFIT.search(text)
    return f"the character U+{ord(match[0]):04X} is not allowed in a text" if match else None

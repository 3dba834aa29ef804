import subprocess
import sys

import pytest

# A C exit handler that crashes stands for the native libraries whose teardown does.
SCRIPT = """
import atexit, ctypes
from fairsweep.leaving import Leaving

crash = ctypes.CFUNCTYPE(None)(lambda: ctypes.string_at(0))
ctypes.CDLL(None).__cxa_atexit(crash, None, None)
leaving = Leaving()
atexit.register(print, "handlers run")
print("not flushed yet", end=" ")
{end}
"""


@pytest.mark.parametrize(("end", "code"), [("leaving.code = 0", 0), ("leaving.code = 3", 3), ("1 / 0", 1)])
def test_a_process_ends_after_pythons_part_with_its_code(end, code):
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(end=end)], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout == "not flushed yet handlers run\n"
    assert ("ZeroDivisionError" in done.stderr) == (code == 1)


def test_a_process_without_an_output_ends_quietly(tmp_path):
    """As daemons and cron may start it."""
    script, errors = tmp_path / "script.py", tmp_path / "errors"
    script.write_text("from fairsweep.leaving import Leaving\nLeaving().code = 0\n")
    done = subprocess.run(["sh", "-c", f"{sys.executable} {script} >&- 2>{errors}"], check=False)
    assert done.returncode == 0 and not errors.read_text()

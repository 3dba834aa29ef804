"""What a terminal shows of rows: a table where it fits, records where it does not, whole lines in a pipe."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from fairsweep.store import Store
from support.synthetic import build


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return build(tmp_path_factory.mktemp("tables"), seeds=4)


def on_a_terminal(store: Store, *arguments: str, columns: int = 80) -> list[str]:
    """Return the lines that a command prints to a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "fairsweep.cli", *arguments]
    environment |= {"TERM": "dumb", "FAIRSWEEP_STORE": str(store.root)}
    with subprocess.Popen(command, stdin=slave, stdout=slave, env=environment) as process:
        os.close(slave)
        printed = b""
        while True:
            try:
                part = os.read(master, 2**16)
            except OSError:  # Linux ends a terminal that nobody holds any more with EIO.
                break
            printed += part
    os.close(master)
    assert process.returncode == 0, printed
    return printed.decode().replace("\r\n", "\n").splitlines()


def in_a_pipe(store: Store, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "fairsweep.cli", *arguments]
    environment = os.environ | {"FAIRSWEEP_STORE": str(store.root), "COLUMNS": "80"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_wide_rows_are_records_on_a_terminal(store):
    lines = on_a_terminal(store, "measure")
    assert max(map(len, lines)) <= 80
    records = "\n".join(lines).split("\n\n")
    assert len(records) == 6  # three settings, two attributes
    assert [line.split()[:2] for line in records[0].splitlines()[:4]] == [
        ["sweep", "audit"],
        ["model", "m"],
        ["setting", "fair-scale2"],
        ["attribute", "gender"],
    ]


def test_rows_that_fit_are_a_table(store):
    lines = on_a_terminal(store, "sql", "select setting, attribute, total_variation from summary")
    assert lines[0].split() == ["setting", "attribute", "total_variation"]
    assert len(lines) == 7


def test_a_row_is_one_line_in_a_pipe_whatever_it_holds(store):
    query = "select 'one' || chr(10) || 'two' as text, 3 as n"
    assert in_a_pipe(store, "sql", query) == ["text      n", r"one\ntwo  3"]


def test_nothing_wraps_in_a_pipe(store):
    header, *rows = in_a_pipe(store, "sql", "select image_id, * exclude (image_id) from plan order by image_id")
    assert header.split()[0] == "image_id"
    expected = in_a_pipe(store, "sql", "select image_id from plan order by image_id", "--format", "csv")[1:]
    assert [row.split()[0] for row in rows] == expected
    assert len(in_a_pipe(store, "measure")) == 7

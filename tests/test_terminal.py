"""What a terminal is given: values are data, whatever they hold."""

import io
import re

import pytest
from rich.table import Table

from fairsweep import cli
from fairsweep.engine.outcome import Outcome
from fairsweep.imports import Source, bring
from fairsweep.store import Store
from fairsweep.terminal import findings
from fairsweep.terminal.console import Screen, shown
from fairsweep.terminal.progress import RunProgress
from fairsweep.terminal.tables import print_rows
from support.synthetic import write_labels, write_plan

# Markup that opens and closes nothing, a name of an emoji, a link, ESC, bell, C1, turned text, half a surrogate pair.
ODD = "[/INST] [bold] :x: [link=x] \x1b[2J \x07 \x9b31m \u202eabc \u2066 \ud800 é"
SHOWN = "[/INST] [bold] :x: [link=x] \\x1b[2J \\x07 \\x9b31m \\u202eabc \\u2066 \\ud800 é"
# Without what no Parquet file can hold.
STORED, STORED_SHOWN = ODD.replace("\ud800 ", ""), SHOWN.replace("\\ud800 ", "")
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def screen(terminal: bool) -> Screen:
    return Screen(file=io.StringIO(), width=300, force_terminal=terminal, color_system=None)


def test_what_a_terminal_would_obey_is_written_out():
    assert shown(ODD) == SHOWN
    assert shown(SHOWN) == SHOWN
    assert shown("two\tcolumns\nעברית 日本語 👩🏾‍⚕️") == "two\tcolumns\nעברית 日本語 👩🏾‍⚕️"


@pytest.mark.parametrize("terminal", [True, False])
def test_prints_tables_records_and_progress_show_values_as_they_are(terminal):
    printed = []
    for act in (
        lambda out: out.print(ODD),
        lambda out: out.print(f"a {ODD}", soft_wrap=True),
        lambda out: print_rows([ODD], [(ODD,)], out),
        lambda out: print_rows(["a", "b"], [(ODD * 9, 1)], out),
        lambda out: out.print(_table()),
    ):
        out = screen(terminal)
        act(out)
        printed.append(out.file.getvalue())
    assert all(SHOWN in text for text in printed)
    assert not any(OBEYED.search(text) for text in printed)
    out = screen(terminal)
    with RunProgress(out, "images", 3) as progress:
        progress.tick(f"waiting: {ODD}")
    if not terminal:
        assert SHOWN in out.file.getvalue()


def _table() -> Table:
    table = Table(ODD)
    table.add_row(ODD)
    return table


@pytest.fixture
def store(tmp_path) -> Store:
    """Return a store of an import whose names and texts hold what a store can hold."""
    file = tmp_path / "results.csv"
    file.write_text("prompt,setting,[/x] :x:,[b]\n[/INST] :x:,[/red],3,1\n")
    store = Store(tmp_path / "store")
    bring(store, Source(file, "[/x] :x:", groups={"[i]": ("[/x] :x:", "[b]")}, model="[/m]", baseline="[/red]"))
    labels = [{"image_id": "1", "attribute": "[i]", "label": "failed", "error": STORED}]
    store.write_labels("[/c]", labels)
    (image_id,) = [row[0] for row in ask(store, "select min(image_id) from plan")]
    store.write_images([{"image_id": image_id, "model": "[/m]", "setting": "[/red]", "error": STORED}])
    return store


def ask(store: Store, query: str) -> list[tuple]:
    from fairsweep.measure.catalogue import connect

    return connect(store).execute(query).fetchall()


def test_commands_print_values_as_they_are(store, capsys):
    where = ["--store", str(store.root)]
    assert cli.run(["status", *where]) == 0
    printed = capsys.readouterr().out
    assert STORED_SHOWN in printed and "[/x] :x:" in printed and not OBEYED.search(printed)
    assert cli.run(["sql", "select error from images", *where]) == 0
    assert STORED_SHOWN in capsys.readouterr().out
    assert cli.run(["measure", *where]) == 0
    assert "[/red]" in capsys.readouterr().out
    out = screen(False)
    outcome = Outcome(failed=[("1", ODD)], failed_images=1, stopped=ODD, refused_models={"[/m]": ODD})
    findings.show(store, "[/x] :x:", outcome, ODD, out)
    printed = out.file.getvalue()
    assert printed.count(SHOWN) == 4 and "[/INST] :x:" in printed and not OBEYED.search(printed)


def test_a_reference_beside_shares_is_one_and_speaks_of_its_own_prompts(tmp_path):
    """Census knows nurses alone, poll both: no figure of poll stands under census, nor firefighters in its sentence."""
    store, groups = Store(tmp_path), {"gender": ("female", "male")}
    labels = [
        {"prompt": prompt, "seed": seed, "gender": "female" if seed < women else "male"}
        for prompt, women in (("nurse", 9), ("firefighter", 0))
        for seed in range(10)
    ]
    write_plan(store, labels, groups, references=["census", "poll"])
    write_labels(store, labels, groups)
    for name, known in {"census": {"nurse": 0.8}, "poll": {"nurse": 0.7, "firefighter": 0.35}}.items():
        rows = [
            {"reference": name, "prompt_name": prompt, "attribute": "gender", "group": group, "share": share}
            for prompt, women in known.items()
            for group, share in (("female", women), ("male", 1 - women))
        ]
        store.write("references", name, rows)
    out = screen(False)
    findings.show(store, "audit", Outcome(), None, out)
    printed = out.file.getvalue()
    assert "census" in printed and "35 %" not in printed and "65 %" not in printed
    assert "on average over prompts the group that the reference favours has 80 % there and 90 % here" in printed
    assert "of 2 (corrected for looking at so many prompts; each interval is its prompt's own), 10 images" in printed


def test_an_error_line_is_plain_text(store, capsys):
    assert cli.run(["sql", f"select '{STORED}' from nowhere", "--store", str(store.root)]) == 2
    line = capsys.readouterr().err
    assert "nowhere" in line and line.count("\n") == 1 and not OBEYED.search(line.rstrip("\n"))
    assert cli.run(["plan", f"nowhere{STORED}.yaml", "--store", str(store.root)]) == 2
    line = capsys.readouterr().err
    assert STORED_SHOWN in line and not OBEYED.search(line.rstrip("\n"))

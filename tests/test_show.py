"""`fairsweep show` and the choice of pictures."""

import pytest

from fairsweep import cli
from fairsweep.errors import StoreError
from fairsweep.measure.catalogue import connect
from fairsweep.pages import pictures
from fairsweep.store import Store
from support.synthetic import build


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return build(tmp_path_factory.mktemp("show"), seeds=4)


def test_grid_has_a_row_per_cell_and_a_column_per_seed(store, tmp_path):
    from PIL import Image

    target = tmp_path / "grid.png"
    assert cli.run(["show", "--prompt", "doctor", "--store", str(store.root), "-o", str(target)]) == 0
    grid = Image.open(target)
    assert grid.height == 3 * (16 + 4)
    first_seed = grid.width - 4 * (16 + 4) + 8
    assert len({grid.getpixel((first_seed, y)) for y in (8, 28, 48)}) > 1


def test_unknown_prompt_names_those_there_are(store, capsys):
    with pytest.raises(StoreError, match="no prompt 'pilot': choose one of doctor, firefighter, nurse"):
        pictures.grid(store, connect(store), "audit", "pilot")
    assert cli.run(["show", "--prompt", "pilot", "--store", str(store.root)]) == 2
    assert capsys.readouterr().err.startswith("error: sweep 'audit' has no prompt 'pilot'")


def test_fixed_set_is_alike_for_every_cell(store):
    rows = pictures.fixed_set(connect(store), "audit", prompts=2, seeds=3, first=("nurse",))
    cells = {}
    for row in rows:
        cells.setdefault((row["model"], row["setting"]), []).append((row["prompt_name"], row["seed"]))
    assert len(cells) == 3
    assert all(shown == [(name, seed) for name in ("nurse", "doctor") for seed in range(3)] for shown in cells.values())


def test_thumbnail_is_small_and_read_reads_what_is_asked(store):
    connection = connect(store)
    key = connection.execute("select min(image_id) from pictures").fetchone()[0]
    found = pictures.read(store, connection, [key, "not there"])
    assert list(found) == [key]
    assert pictures.thumbnail(found[key]).startswith("data:image/webp;base64,")
    assert pictures.read(store, connection, []) == {}

"""Files as nobody should import them: each comes in whole, or one line says why and the store stays as it was."""

import io
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fairsweep.cli import run
from fairsweep.errors import FairsweepError
from fairsweep.imports import Source, bring
from fairsweep.measure.catalogue import connect
from fairsweep.store import Store

GROUPS = {"gender": ("female", "male")}
COLUMNS = ("prompt", "model", "setting", "seed", "image", "gender", "group", "count", "female", "male", "label")
CELLS = [
    *(
        None,
        "",
        " ",
        "doctor",
        "nurse",
        "0",
        "1",
        "7",
        "3.0",
        "-1",
        "1.5",
        "1e3",
        "1e999999999",
        "nan",
        "inf",
        "9" * 40,
    ),
    *("female", "male", "f", "True", "no_face", "unknown", "abc", "a,b", 'a"b', "a\nb", "a\x00b", "\x1b[31m", "[/x]"),
    *("é", "\u202e", "../../x", "1.10", "2024-13-45", "=1+1", "x" * 3000),
]
SUFFIXES = ("csv", "json", "jsonl", "parquet")


def table(chance: random.Random) -> dict[str, list]:
    """Return columns of a few rows, some of them plausible, some of anything."""
    names = chance.choice(
        (("prompt", "female", "male"), ("prompt", "group", "count"), ("image", "prompt", "seed", "gender"), COLUMNS)
    )
    names = [name for name in names if chance.random() < 0.95] or ["prompt"]
    rows = chance.choice((0, 1, 2, 3, 5))
    plain = {
        "prompt": ["doctor", "nurse"],
        "group": ["female", "male"],
        "gender": ["female", "male"],
        "label": ["female", "male"],
        "model": ["a"],
        "setting": ["none"],
    }
    odd = chance.choice((0, 0, 0.05, 0.4))
    return {
        name: [
            chance.choice(CELLS) if chance.random() < odd else chance.choice(plain.get(name, [str(row), str(row + 1)]))
            for row in range(rows)
        ]
        for name in names
    }


def encoded(columns: dict[str, list], suffix: str, chance: random.Random) -> bytes:
    """Return the columns as a file of that kind, now and then cut short, with bytes flipped, or in UTF-16."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if suffix == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}), buffer)
        data = buffer.getvalue()
    elif suffix == "csv":
        delimiter = chance.choice(",,,;\t")
        lines = [columns, *(row.values() for row in rows)]
        cells = [[str("" if cell is None else cell).replace('"', '""') for cell in line] for line in lines]
        quoted = chance.random() < 0.7
        text = "\n".join(delimiter.join(f'"{cell}"' if quoted else cell for cell in line) for line in cells)
        data = text.encode(chance.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")), "replace")
    else:
        text = json.dumps(rows) if suffix == "json" else "\n".join(map(json.dumps, rows))
        data = text.encode()
    damage = chance.randrange(12)
    if damage == 0:
        return data[: chance.randrange(len(data) + 1)]
    if damage == 1 and data:
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    return data


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_mutated_file_comes_in_or_is_refused_in_one_line(tmp_path, suffix):
    """Fifty files of each kind: no other error, and what is refused leaves no store."""
    chance = random.Random(SUFFIXES.index(suffix))
    outcomes = set()
    for number in range(50):
        file = tmp_path / f"results[{number}].{suffix}"
        file.write_bytes(encoded(table(chance), suffix, chance))
        store = Store(tmp_path / f"store-{number}")
        try:
            bring(
                store, Source(file, file.stem, groups=GROUPS), chance.choice(("sweep", "sweep", "sweep", "reference"))
            )
            outcomes.add("in")
            assert list(store.root.rglob("*.parquet"))
        except FairsweepError as error:
            line = str(error)
            outcomes.add(line.removeprefix(str(file)))
            assert len(line.splitlines()) == 1, line
            line.encode()
            assert not store.root.exists()
    assert "in" in outcomes
    assert len(outcomes) > 12


def refused(tmp_path, capsys, text: str | bytes, *options: str, name: str = "results.csv") -> str:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    groups = [] if "--groups" in options else ["--groups", "gender=female,male"]
    assert run(["import", str(file), "--store", str(tmp_path / "store"), *groups, *options]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert not (tmp_path / "store").exists()
    return line


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (
            "prompt,female,male\nx,1,2\ny,1,2\nx,3,4\n",
            (),
            "row 3: the count of results / none / x / female is in row 1",
        ),
        ("prompt,group,count\nx,female,1\nx,female,2\n", (), "row 2: the count of results / none / x / female is in"),
        (
            "image,prompt,gender\na,x,male\na,x,female\n",
            (),
            "row 2: the gender of image results / none / x / a is in row",
        ),
        (
            "prompt,seed,gender\nx,3,male\nx,3,male\n",
            (),
            "row 2: the gender of seed results / none / x / 3 is in row 1",
        ),
        ("prompt,seed,gender\nx,abc,male\n", (), "row 1: the seed is abc: expected a whole number from 0"),
        (
            "image,prompt,seed,attribute,label\na,x,1,gender,male\na,x,2,age,old\n",
            ("--groups", "gender=female,male", "--groups", "age=young,old"),
            "row 2: image a has another seed in an earlier row",
        ),
        ("prompt,gender\nx,f\n", (), "row 1: unknown group 'f' of gender"),
        ("prompt,female,male\nx,1,2\n", ("--target", "female=nan"), "--target female=nan: expected a share between 0"),
        ("prompt,female,male\nx,1,2\n", ("--name", "a\nb\x07"), "the character U+0007 is not allowed in a text"),
        ("prompt,female,male\nx,1,2\n", ("--name", " "), "--name ' ': a name has 1 to 120 characters"),
        ("prompt,female,male\nx,1,2\n", ("--groups", "gender=female"), "name two groups or more, each once"),
        ("prompt,female,male\nx,1,2\n", ("--groups", "gender=female,female"), "name two groups or more, each once"),
        (
            "prompt,female,male\nx,1,2\n",
            ("--groups", "gender=female,unknown"),
            "no_face, unknown, failed stand for what is no",
        ),
        ("prompt,_image\nx,a\n", ("--groups", "_image=a,b"), "--groups _image: this stands for the whole image"),
        (
            "prompt,model,other\nx,1,2\n",
            ("--groups", "kind=model,other"),
            "--groups: a column 'model' is no count and no label: use the columns group and count",
        ),
        (
            "image,prompt,seed\na,x,1\n",
            ("--groups", "seed=1,2"),
            "a column 'seed' is no count and no label: use the columns image, attribute and label",
        ),
        ("prompt,female,male\nx,1,2\n", ("--column", "job=prompt"), "--column job=...: there is no such column"),
        ("prompt,female,female\nx,1,2\n", (), "two columns are called 'female'"),
        ("prompt,female,male\nx,1,2\n".encode("utf-16"), (), "it is not UTF-8 text"),
        ("prompt,female,male\nx\x07,1,2\n", (), "row 1: prompt: the character U+0007 is not allowed in a text"),
        ("prompt,female,male\nx,1\n", (), "Expected 3 columns, got 2"),
        (
            "model,setting,prompt,female,male\na,laion,x,1,1\nb,laion,x,3,1\n",
            ("--reference", "laion"),
            "a reference is one distribution, not 2: a / laion, b / laion",
        ),
        (
            "model,prompt,female,male\na,x,1,1\nb,x,3,1\n",
            ("--as", "reference"),
            "a reference is one distribution, not 2: a / none, b / none",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_row(tmp_path, capsys, text, options, reason):
    assert reason in refused(tmp_path, capsys, text, *options)


def test_a_file_is_read_literally_and_its_texts_stay_as_written(tmp_path):
    """The file's own name is no pattern, models 1.1 and 1.10 are two, and a label may be called f."""
    (tmp_path / "b1.csv").write_text("model,prompt,f,m\n9,x,9,9\n")
    (tmp_path / "b[1].csv").write_text("model;prompt;f;m\n1.10;x;3;1\n1.1;x;2.0;2\n")
    store = tmp_path / "store"
    assert run(["import", str(tmp_path / "b[1].csv"), "--store", str(store), "--groups", "gender=f,m"]) == 0
    query = 'select model, "group", count from share order by all'
    rows = [("1.1", "f", 2), ("1.1", "m", 2), ("1.10", "f", 3), ("1.10", "m", 1)]
    assert connect(Store(store)).execute(query).fetchall() == rows


def test_a_sweep_is_kept_whatever_its_name(tmp_path, capsys):
    file, store = tmp_path / "results.csv", tmp_path / "store"
    file.write_text("prompt,female,male\nx,1,2\n")
    command = ["import", str(file), "--store", str(store), "--groups", "gender=female,male", "--name", "meine Prüfung"]
    assert run(command) == 0
    assert run(command) == 2
    assert "already has a sweep 'meine Prüfung'" in capsys.readouterr().err
    assert run([*command, "--replace"]) == 0


def test_a_store_that_a_run_writes_to_is_left_alone(tmp_path, capsys):
    file, store = tmp_path / "results.csv", Store(tmp_path / "store")
    file.write_text("prompt,female,male\nx,1,2\n")
    calibration = ["calibrate", "--images", "2", "--groups", "gender=female,male"]
    with store.lock():
        for command in (["import", str(file), "--groups", "gender=female,male"], calibration):
            assert run([*command, "--store", str(store.root)]) == 2
            line = capsys.readouterr().err
            assert "another run is writing to" in line and line.count("\n") == 1
    assert not list(store.root.rglob("*.parquet"))


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("file_name,prompt\n../secret.png,x\n", "row 1: '../secret.png' names no file of this folder"),
        ("file_name,prompt\n/etc/passwd,x\n", "row 1: '/etc/passwd' names no file of this folder"),
        ("file_name,prompt\n,x\n", "row 1: '' names no file of this folder"),
        ("file_name,prompt,seed\na.png,x,abc\n", "row 1: the seed is abc: expected a whole number from 0"),
        ("file_name,prompt\na.png,x\na.png,y\n", "row 2: the file a.png is in row 1 already"),
        ("file_name,prompt,seed\na.png,x,1\nb.png,x,1\n", "row 2: the seed of"),
        ("file_name,prompt\na.png,x\nb.png,x\n", "row 2: the same picture of"),
        ("file_name,prompt\na.png,\n", "row 1: the prompt is empty"),
        ("file_name\na.png\n", "row 1 has no column 'prompt'"),
        ("file_name,prompt\nmetadata.csv,x\n", "row 1: not a readable image"),
    ],
)
def test_a_folder_of_images_is_checked_before_the_first_byte(tmp_path, capsys, metadata, reason):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(png())
    (folder / "metadata.csv").write_text(metadata)
    options = ["--groups", "gender=female,male", "--classifier", "portraits", "--store", str(tmp_path / "store")]
    assert run(["import", str(folder), *options]) == 2
    line = capsys.readouterr().err
    assert reason in line and line.count("\n") == 1
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("classifier", "groups", "reason"),
    [
        ("os:path", "gender=female,male", "is no subclass of fairsweep.classifiers"),
        ("transformers", "gender=female,male", "classifiers[0].model: this key is missing"),
        (
            "{kind: portraits, batch: 3}",
            "gender=female,male",
            "classifiers[0].batch: unknown key; did you mean 'batch_size'",
        ),
        ("portraits", "gender=woman,man", "no classifier knows the group 'woman' of gender"),
        ("portraits", "gender=a woman,man", "give letters, digits"),
        ("{kind: portraits", "gender=female,male", "this is not YAML"),
    ],
)
def test_who_labels_images_is_checked_first(tmp_path, capsys, classifier, groups, reason):
    (tmp_path / "pictures" / "doctor").mkdir(parents=True)
    (tmp_path / "pictures" / "doctor" / "a.png").write_bytes(png())
    store = str(tmp_path / "store")
    options = ["--store", store, "--classifier", classifier, "--groups", groups]
    for command in (["import", str(tmp_path / "pictures")], ["calibrate", "--images", "2"]):
        assert run([*command, *options]) == 2
        line = capsys.readouterr().err
        assert reason in line and line.count("\n") == 1
    assert not (tmp_path / "store").exists()

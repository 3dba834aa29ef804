"""Results from elsewhere: what comes in, what is refused, and the published tables of Fair Diffusion."""

import io
import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from fairsweep.classifiers.base import Classifier, Label
from fairsweep.cli import run
from fairsweep.measure.catalogue import connect
from fairsweep.measure.status import status
from fairsweep.store import Store

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fair_diffusion_counts.csv"
GROUPS = ["--groups", "gender=female,male"]


def bring(tmp_path, text, *options, name="results.csv"):
    file = tmp_path / name
    file.write_text(text)
    return run(["import", str(file), "--store", str(tmp_path / "store"), *options])


def ask(tmp_path, query):
    return connect(Store(tmp_path / "store")).execute(query).fetchall()


@pytest.mark.skipif(not DATA.exists(), reason=f"the published counts are not at {DATA}")
def test_the_published_tables_of_fair_diffusion(tmp_path):
    """Every figure as published, to its three digits, and the verdicts exactly."""
    options = ["--column", "prompt=occupation", "--column", "setting=source", "--model", "stable-diffusion-1.5"]
    options += ["--baseline", "generated", "--reference", "laion", "--name", "fair-diffusion"]
    assert run(["import", str(DATA), "--store", str(tmp_path / "store"), *GROUPS, *options]) == 0
    connection = connect(Store(tmp_path / "store"))
    verdicts = connection.execute(
        "select verdict, count, prompts from reference_verdicts where setting = 'generated' order by 1"
    ).fetchall()
    assert verdicts == [("amplified", 87, 153), ("mitigated", 33, 153), ("reflected", 33, 153)]
    rows = connection.execute(
        """select setting, round(shares['female'], 3), round(pairwise_bias, 3), change_from_baseline,
            change_from_baseline_high from summary order by 1"""
    ).fetchall()
    assert [row[:3] for row in rows] == [
        ("edited", 0.532, 0.210),
        ("generated", 0.448, 0.623),
        ("laion", 0.433, 0.516),
    ]
    # For two groups total variation is half the pairwise bias.
    assert rows[0][3] == pytest.approx((0.2097 - 0.6229) / 2, abs=1e-3) and rows[0][4] < 0


# Men among 100 images of each of the 37 professions that the authors of UCE published (arXiv 2308.14761).
UCE = {
    "stable-diffusion-1.4": "36 13 23 1 51 14 55 1 53 41 55 9 53 1 93 8 72 81 66 59 90 99 98 88 96 84 67 99 83 89 "
    "76 69 99 89 93 92 94",
    "concept-algebra": "50 8 19 4 41 21 42 3 44 26 62 45 53 8 57 17 60 37 45 37 69 81 86 71 73 57 49 67 56 74 45 "
    "46 81 52 60 66 61",
    "debias-vl": "27 30 46 9 47 32 24 12 60 51 79 27 75 5 86 44 73 84 74 53 77 98 100 92 81 76 78 97 57 92 71 82 95 81 "
    "72 76 90",
}


def test_the_published_professions_of_uce(tmp_path):
    """The mean over 37 professions of |p - .5| / .5, to three digits: .619, .351 and .539."""
    lines = [
        f"profession {place},{model},{100 - int(men)},{men}"
        for model, counts in UCE.items()
        for place, men in enumerate(counts.split())
    ]
    assert len(lines) == 3 * 37
    assert bring(tmp_path, "\n".join(["prompt,model,female,male", *lines]), *GROUPS) == 0
    rows = ask(tmp_path, "select model, round(avg(relative_deviation), 3) from relative_deviation group by 1")
    assert dict(rows) == {"stable-diffusion-1.4": 0.619, "concept-algebra": 0.351, "debias-vl": 0.539}


def test_counts_wide_and_long_are_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert bring(tmp_path / "a", "prompt,female,male,no_face\ndoctor,3,1,2\n", *GROUPS) == 0
    assert bring(tmp_path / "b", "prompt,group,count\ndoctor,female,3\ndoctor,male,1\ndoctor,no_face,2\n", *GROUPS) == 0
    query = 'select "group", count, n, images, missing, share from share order by 1'
    assert ask(tmp_path / "a", query) == [("female", 3, 4, 6, 2, 0.75), ("male", 1, 4, 6, 2, 0.25)]
    assert ask(tmp_path / "a", query) == ask(tmp_path / "b", query)


@pytest.mark.parametrize(
    "text",
    [
        "prompt,female,male,failed\ndoctor,1,0,2\n",
        "prompt,group,count\ndoctor,female,1\ndoctor,failed,2\n",
        "prompt,seed,gender\ndoctor,0,female\ndoctor,1,failed\ndoctor,2,\n",
    ],
)
def test_what_failed_is_counted_as_missing(tmp_path, text):
    assert bring(tmp_path, text, *GROUPS) == 0
    assert ask(tmp_path, "select failed, unknown, images from missing_share") == [(2, 0, 3)]


def test_the_status_of_results_without_images_claims_none(tmp_path):
    bring(tmp_path, "prompt,female,male\nnurse,3,1\n", "--groups", "gender=female,male", "--model", "m")
    assert [row[:7] for row in status(Store(tmp_path / "store"))] == [("results", "m", "none", 4, None, 4, 0)]


def test_counts_as_a_reference(tmp_path, capsys):
    assert bring(tmp_path, "prompt,female,male\ndoctor,30,70\n", *GROUPS, "--as", "reference") == 0
    # What it says to look at next is there: a reference is no sweep.
    (command,) = re.findall("see `fairsweep (.*)`", capsys.readouterr().out)
    assert run(shlex.split(command)) == 0 and "reference" in capsys.readouterr().out
    assert ask(tmp_path, 'select reference, "group", share, n from reference_shares order by 2') == [
        ("results", "female", 0.3, 100),
        ("results", "male", 0.7, 100),
    ]
    assert ask(tmp_path, "from plan") == []


def test_what_a_setting_of_elsewhere_steers_is_not_known(tmp_path):
    text = "prompt,setting,seed,gender\ndoctor,none,0,female\ndoctor,fair,0,male\n"
    assert bring(tmp_path, text, *GROUPS) == 0
    assert ask(tmp_path, "from side_effects") == [] and len(ask(tmp_path, "from change_from_baseline")) == 1


def test_a_group_without_a_row_has_none_in_a_reference(tmp_path):
    assert bring(tmp_path, "prompt,group,count\nnurse,female,9\n", *GROUPS, "--as", "reference") == 0
    rows = ask(tmp_path, 'select "group", share, n from reference_shares order by 1')
    assert rows == [("female", 1.0, 9), ("male", 0.0, 9)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "image,prompt,seed,gender\na,doctor,1,female\nb,doctor,2,no_face\n"),
        ("labels.csv", "image,prompt,seed,attribute,label\na,doctor,1,gender,female\nb,doctor,2,gender,no_face\n"),
        (
            "labels.jsonl",
            "\n".join(
                json.dumps({"image": i, "prompt": "doctor", "seed": s, "gender": g})
                for i, s, g in (("a", 1, "female"), ("b", 2, "no_face"))
            ),
        ),
    ],
)
def test_labels_per_image(tmp_path, name, text):
    assert bring(tmp_path, text, *GROUPS, "--target", "female=0.4", name=name) == 0
    assert ask(tmp_path, "select share, target, missing from share order by position") == [(1.0, 0.4, 1), (0.0, 0.6, 1)]
    assert ask(tmp_path, "select seed from plan order by 1") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("prompt,male\ndoctor,1\n", GROUPS, "row 1 has no column 'female'"),
        ("job,female,male\ndoctor,1,2\n", GROUPS, "row 1 has no column 'prompt'"),
        ("prompt,female,male\ndoctor,1,2\nnurse,-3,2\n", GROUPS, "row 2: the count of female is -3"),
        ("prompt,female,male\ndoctor,1.5,2\n", GROUPS, "row 1: the count of female is 1.5"),
        ("prompt,female,male\ndoctor,,2\n", GROUPS, "row 1: the count of female is empty"),
        ("prompt,group,count\ndoctor,woman,2\n", GROUPS, "row 1: unknown group 'woman' of gender"),
        ("prompt,female,male\n,1,2\n", GROUPS, "row 1: the prompt is empty"),
        ("prompt,female,male\ndoctor,1,2\n", [], "counts need one attribute and its groups"),
        (
            "prompt,female,male\ndoctor,1,2\n",
            [*GROUPS, "--target", "woman=1"],
            "unknown group 'woman'; known: female, male",
        ),
        ("prompt,female,male\ndoctor,1,2\n", [*GROUPS, "--target", "femal=1"], "'femal'; did you mean 'female'?"),
        (
            "prompt,female,male\ndoctor,1,2\n",
            [*GROUPS, "--column", "promt=x"],
            "no such column; did you mean 'prompt'?",
        ),
        (
            "prompt,setting,female,male\ndoctor,none,1,2\ndoctor,fair,1,2\n",
            [*GROUPS, "--baseline", "nome"],
            "has no such setting; did you mean 'none'?",
        ),
        ("prompt,female,male\ndoctor,1,2\n", [*GROUPS, "--target", "female=1.4"], "must be shares that sum to 1"),
        ("prompt,female,male\ndoctor,1,2\n", [*GROUPS, "--reference", "laion"], "no row has the setting 'laion'"),
        ("image,prompt,gender\na,doctor,male\nb,doctor,man\n", GROUPS, "row 2: unknown group 'man' of gender"),
        ("prompt,female,male\n", GROUPS, "the file has no rows"),
    ],
)
def test_a_mistake_is_one_line_with_its_row_and_nothing_comes_in(tmp_path, capsys, text, options, reason):
    assert bring(tmp_path, text, *options) == 2
    said = capsys.readouterr().err
    assert reason in said and said.count("\n") == 1
    assert not list((tmp_path / "store").rglob("*.parquet"))


def test_a_sweep_is_not_overwritten_unasked(tmp_path, capsys):
    assert bring(tmp_path, "prompt,female,male\ndoctor,1,2\n", *GROUPS) == 0
    assert bring(tmp_path, "prompt,female,male\ndoctor,3,0\n", *GROUPS) == 2
    assert "already has a sweep 'results'" in capsys.readouterr().err
    assert bring(tmp_path, "prompt,female,male\ndoctor,3,0\n", *GROUPS, "--replace") == 0
    assert ask(tmp_path, "select count from share order by position") == [(3,), (0,)]


class Redness(Classifier):
    """Call the redder image female."""

    def _classify(self, images, prompts):
        said = ["female" if image.getpixel((0, 0))[0] > 128 else "male" for image in images]
        return [[Label("gender", label, 0.9, {label: 0.9})] for label in said]


def picture(red):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "png")
    return buffer.getvalue()


class Choosy(Redness):
    """Cannot read what is black."""

    def _classify(self, images, prompts):
        if any(image.getpixel((0, 0))[0] == 0 for image in images):
            raise ValueError("too dark")
        return super()._classify(images, prompts)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two red pictures and a black one, with their seeds."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for place, red in enumerate((255, 255, 0)):
        (folder / f"{place}.png").write_bytes(picture(red))
    (folder / "metadata.csv").write_text("file_name,prompt,seed\n0.png,doctor,0\n1.png,doctor,1\n2.png,doctor,2\n")
    return folder


def test_a_folder_of_images_is_labelled_as_a_sweep_is(tmp_path, folder, ray_cluster, capsys):
    """Labels, a failure as a row of its own, and the same command again, which labels only what lacks a label."""
    options = [*GROUPS, "--store", str(tmp_path / "store"), "--address", ray_cluster]
    choosy, redness = (["--classifier", f"{{kind: '{__name__}:{kind}', name: eye}}"] for kind in ("Choosy", "Redness"))
    assert run(["import", str(folder), *options, *choosy]) == 1
    printed = capsys.readouterr().out
    assert "3 images, 2 labelled now by eye, 1 failed (ValueError: too dark); the same command tries them" in printed
    assert ask(tmp_path, "select label, error from labels order by 1") == [
        ("failed", "ValueError: too dark"),
        ("female", None),
        ("female", None),
    ]
    assert run(["import", str(folder), *options, *redness]) == 2
    assert "the labels of classifier 'eye'" in capsys.readouterr().err
    redness = ["--classifier", f"{__name__}:Redness"]
    assert run(["import", str(folder), *options, *redness]) == 0
    assert "3 images, 3 labelled now by Redness" in capsys.readouterr().out
    assert run(["import", str(folder), *options, *redness]) == 0
    assert "3 images, 0 labelled now by Redness" in capsys.readouterr().out
    query = "select share, n from share where classifier = 'Redness' order by position"
    assert ask(tmp_path, query) == [(pytest.approx(2 / 3), 3), (pytest.approx(1 / 3), 3)]
    assert len(ask(tmp_path, "select image.bytes from pictures")) == 3


def test_other_images_under_the_name_of_a_sweep_are_refused(tmp_path, folder, ray_cluster, capsys):
    options = [*GROUPS, "--classifier", f"{__name__}:Redness", "--store", str(tmp_path / "store")]
    options += ["--address", ray_cluster]
    assert run(["import", str(folder), *options]) == 0
    (folder / "2.png").write_bytes(picture(9))
    assert run(["import", str(folder), *options]) == 2
    assert "already has a sweep 'pictures'" in capsys.readouterr().err
    assert len(ask(tmp_path, "from images")) == 3


def test_a_parquet_file_of_images_and_a_broken_one(tmp_path, ray_cluster, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = [*GROUPS, "--classifier", f"{__name__}:Redness", "--store", str(tmp_path / "store")]
    options += ["--address", ray_cluster]
    for name, last in (("broken", b"not an image"), ("fine", picture(0))):
        rows = [{"prompt": "doctor", "image": {"bytes": data, "path": None}} for data in (picture(255), last)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    assert run(["import", str(tmp_path / "broken.parquet"), *options]) == 2
    assert "row 2: not a readable image" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
    assert run(["import", str(tmp_path / "fine.parquet"), *options]) == 0
    assert ask(tmp_path, "select share from share") == [(0.5,), (0.5,)]


def test_replacing_with_another_classifier_leaves_no_label_of_the_first(tmp_path):
    for classifier, label in (("anna", "female"), ("ben", "male")):
        text = f"image,prompt,gender\na,doctor,{label}\n"
        assert bring(tmp_path, text, *GROUPS, "--classifier", classifier, "--replace") == 0
    assert ask(tmp_path, "select classifier, label from labels") == [("ben", "male")]

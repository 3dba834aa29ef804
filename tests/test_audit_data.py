"""Audits of training data on real Ray: four formats, damage, resumption; the parts of matching on their own."""

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console

from fairsweep import cli
from fairsweep.attributes import AttributeSpec
from fairsweep.audits.data import audit
from fairsweep.audits.data.captions import Captions, words_of_groups
from fairsweep.audits.data.index import IndexTask, open_data, write_index
from fairsweep.audits.data.match import _repeats, match
from fairsweep.audits.data.search import BINS, Nearest, Search, Spread
from fairsweep.audits.data.threshold import caption_threshold, mixture_thresholds
from fairsweep.engine import cluster
from fairsweep.errors import FairsweepError
from fairsweep.portraits.defaults import CONCEPTS
from fairsweep.portraits.world import bias_table
from fairsweep.sources import SourceError, read_pictures
from fairsweep.spec import Prompt, SweepSpec
from fairsweep.store import Store
from fairsweep.store.objects import Objects
from support import corpus
from support.checks import ask

JOBS = ["nurse", "firefighter", "artist"]


def world(sources: list[dict], jobs: list[str] = JOBS) -> dict:
    """Return a spec over the built-in world with these sources of training data."""
    return {
        "name": "world",
        "models": [{"name": "portraits", "source": "builtin:portraits", "steps": 2}],
        "prompts": {"template": "a photo of the face of a {occupation}", "variables": {"occupation": jobs}},
        "attributes": {"gender": {"groups": CONCEPTS["gender"]}},
        "guidance": [{"method": "none"}],
        "classifiers": [{"kind": "portraits"}],
        "seeds": 2,
        "run": {"actors": 1, "cpus_per_actor": 1},
        "data": sources,
    }


@pytest.fixture(scope="module")
def portraits() -> list[corpus.Portrait]:
    """40 portraits of each of three occupations (seed 21)."""
    return corpus.draw(JOBS, 40, 21)


@pytest.fixture(scope="module")
def vectors(portraits) -> np.ndarray:
    from fairsweep.classifiers.clip import Clip

    pictures = [Image.open(io.BytesIO(one.png)) for one in portraits]
    return Clip("builtin:portraits").embed_images(pictures).numpy()


@pytest.fixture
def run_audit(ray_cluster):
    """Return a function that audits a spec's training data on the session's cluster."""

    def run(data: dict, root: Path) -> audit.Report:
        spec, store = SweepSpec.model_validate(data), Store(root)
        audit.check(spec)
        with store.lock(), cluster.connected(ray_cluster):
            return audit.audit_data(spec, store, Console(quiet=True))

    return run


def upload(folder: Path, name: str) -> str:
    """Put a folder's files into the tests' bucket; return their address."""
    objects = Objects(f"s3://bucket/data-{name}")
    for path in folder.rglob("*.*"):
        objects.put(path.relative_to(folder).as_posix(), path)
    return objects.address


@pytest.mark.slow
def test_the_formats_read_alike_and_a_second_run_reads_nothing(portraits, vectors, run_audit, tmp_path, s3):
    folders = {
        "parquet": corpus.write_parquet(tmp_path / "parquet", portraits),
        "folder": corpus.write_folder(tmp_path / "folder", portraits),
        "tars": corpus.write_tars(tmp_path / "tars", portraits),
        "retrieval": corpus.write_clip_retrieval(tmp_path / "retrieval", portraits, vectors),
    }
    folders["bucket"] = upload(folders["parquet"], tmp_path.name)
    data = world([{"name": name, "source": str(folder), "nearest": [10, 20]} for name, folder in folders.items()])
    data["data"][0]["keep"] = 2
    store = tmp_path / "store"
    report = run_audit(data, store)
    assert report.outcome.complete
    assert {name: (m.pictures, m.damaged) for name, m in report.matches.items()} == dict.fromkeys(folders, (120, 0))
    empty = sum(not one.caption for one in portraits)
    assert {m.without_caption for m in report.matches.values()} == {empty}
    query = """select setting, prompt_name, "group", count, n from share
        where sweep = 'world-data' and model = '{}' order by all"""
    shown = {name: ask(store, query.format(name)) for name in folders}
    assert len(shown["parquet"]) == 6 * 3 * 2  # matchings, prompts, groups
    assert shown["folder"] == shown["tars"] == shown["retrieval"] == shown["bucket"] == shown["parquet"]
    # By captions: what the true captions and persons say, read by a classifier that errs on few.
    for job in JOBS:
        named = [one.person for one in portraits if job in one.caption]
        rows = {row[2]: row for row in shown["parquet"] if row[:2] == ("captions", job)}
        assert rows["female"][4] == len(named)
        assert abs(rows["female"][3] - sum(person.gender == "female" for person in named)) <= 1
    # A picture has one row however many matchings take it, and lies where it lay; `keep` copies a few.
    ids = "select count(*), count(distinct image_id) from image_files"
    assert len({*ask(store, ids)[0]}) == 1
    copies = "select model, count(*) filter (image.bytes is not null) from pictures group by all order by all"
    kept = {name: count for name, count in ask(store, copies) if count}
    assert kept == {"parquet": 2 * len(JOBS)}
    labels = ask(store, "select count(*), count(distinct (image_id, attribute)) from label_rows where error is null")
    assert labels[0][0] == labels[0][1] > 0
    references = dict(ask(store, "select reference, count(*) from reference_shares group by all"))
    assert references["tars.captions-unnamed"] == references["retrieval.nearest-10"] == 6
    again = run_audit(data, store)
    assert {indexed.parts for indexed in again.indexed.values()} == {0}
    assert again.outcome.labelled == 0
    assert ask(store, "select count(*) from label_rows where error is null") == [(labels[0][0],)]
    # One file more is read alone.
    corpus.write_parquet(tmp_path / "more", portraits[:15], files=1)
    os.rename(tmp_path / "more" / "0.parquet", folders["parquet"] / "9.parquet")
    more = run_audit(data, store)
    assert (more.indexed["parquet"].parts, more.indexed["parquet"].of) == (1, 3)
    assert more.matches["parquet"].pictures == 135


@pytest.mark.slow
def test_damage_costs_only_itself_and_is_counted(portraits, run_audit, tmp_path):
    tars = corpus.write_tars(tmp_path / "tars", portraits)
    whole = (tars / "00001.tar").read_bytes()
    (tars / "00001.tar").write_bytes(whole[: len(whole) // 2])
    folder = corpus.write_folder(tmp_path / "folder", portraits, "jsonl")
    (folder / "00000.png").unlink()
    (folder / "00001.png").write_bytes(b"no picture")
    parquet = corpus.write_parquet(tmp_path / "parquet", portraits)
    (parquet / "1.parquet").write_bytes(b"PAR1 no parquet")
    names = {"tars": tars, "folder": folder, "parquet": parquet}
    data = world([{"name": name, "source": str(path), "nearest": [10]} for name, path in names.items()])
    report = run_audit(data, tmp_path / "store")
    counts = {name: (matches.pictures, matches.damaged) for name, matches in report.matches.items()}
    assert counts["folder"] == (118, 2)
    assert counts["parquet"] == (60, 1)
    assert counts["tars"][1] == 1
    assert 60 < counts["tars"][0] < 120
    lines = list(report.lines(SweepSpec.model_validate(data)))
    assert any("00001.tar is damaged after" in line for line in lines)
    assert any("00000.png: No such file or directory" in line for line in lines)
    errors = [row[0] for row in ask(tmp_path / "store", "select error from data_rows where error is not null")]
    assert len(errors) == 4
    assert report.outcome.complete
    # What vanishes after it was read is a label that failed; the same command tries it again.
    number = next(n for n, one in enumerate(portraits) if n > 1 and one.person.occupation in one.caption)
    job, lost_file = portraits[number].person.occupation, folder / f"{number:05d}.png"
    lost_file.rename(tmp_path / "away.png")
    data["classifiers"] = [{"kind": "portraits", "name": "second"}]
    lost = run_audit(data, tmp_path / "store")
    assert (lost.outcome.failed_labels, lost.outcome.complete) == (1, False)
    failed = f"""select failed from missing_share where sweep = 'world-data' and classifier = 'second'
        and model = 'folder' and setting = 'captions' and prompt_name = '{job}'"""
    assert ask(tmp_path / "store", failed) == [(1,)]
    (tmp_path / "away.png").rename(lost_file)
    back = run_audit(data, tmp_path / "store")
    assert (back.outcome.labelled, back.outcome.complete) == (1, True)


@pytest.mark.slow
def test_killed_and_resumed(portraits, ray_cluster, tmp_path, write_spec):
    """Ended at one of six files, killed at two: these stay as they are, and every picture is labelled once."""
    folder = corpus.write_tars(tmp_path / "tars", portraits, files=6)
    path, store = write_spec(world([{"name": "tars", "source": str(folder), "nearest": [10]}])), tmp_path / "store"
    command = [sys.executable, "-m", "fairsweep.cli", "audit", "data", str(path), "--store", str(store)]
    command += ["--address", ray_cluster]
    for files, how in ((1, signal.SIGTERM), (2, signal.SIGKILL)):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 240
        while len(there := sorted(store.glob("data/*/*.parquet"))) < files:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(how)
        _, errors = process.communicate()
        if how == signal.SIGTERM:
            assert (process.returncode, errors) == (130, "interrupted; the same command resumes\n")
    stamps = {file: file.stat().st_mtime_ns for file in there}
    assert cli.run(command[3:]) == 0
    assert {file: file.stat().st_mtime_ns for file in there} == stamps
    assert ask(store, "select count(*), count(distinct reference) from data_rows") == [(120, 120)]
    matched = ask(store, "select count(distinct image_id) from match_rows")[0][0]
    labels = "select count(*), count(distinct image_id) from label_rows where attribute = 'gender' and error is null"
    assert ask(store, labels) == [(matched, matched)]


def test_captions_name_a_prompt_as_people_write():
    jobs = ["nurse", "police officer", "fireman", "secretary", "chef"]
    prompts = [Prompt(text=f"a photo of a {job}", name=job, variables={"job": job}) for job in jobs]
    attributes = {"gender": AttributeSpec.declare(CONCEPTS["gender"])}
    words = words_of_groups(attributes, {})
    assert {"female", "woman"} <= set(words["gender"]["female"])
    captions = Captions(prompts, words)
    texts = pa.array(
        [
            "Two NURSES in a ward",
            "a nursery",
            "a police-officer",
            "police  officers, off duty",
            "firemen",
            "the secretaries' room",
            "a mischief",
            None,
            "",
            "a woman, a nurse",
            "the nurse and the chef",
        ]
    )
    matches = [each.to_pylist() for each in captions.match(texts)]
    assert matches == [[0, 9, 10], [2, 3], [4], [5], [10]]
    assert [i for i, named in enumerate(captions.name_a_group(texts).to_pylist()) if named] == [9]
    given = words_of_groups(attributes, {"gender": {"female": ("lady",)}})
    assert given["gender"]["female"] == ("lady",)
    assert "man" in given["gender"]["male"]


def test_the_search_is_exact_whatever_the_blocks():
    """Against a full sort and numpy's histogram; numpy seed 6."""
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(5_000, 24)).astype(np.float32)
    queries = rng.normal(size=(7, 24)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    truth = queries @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
    # Blocks of each size, similarities kept from one look to the next, and not.
    for size, room in ((17, 2**30), (1_000, 2**30), (5_000, 2**30), (1_000, 100_000), (1_000, 0)):
        nearest, spread, looks = Nearest(7, 50), Spread(7), []

        def blocks(size=size, looks=looks):
            looks.append(size)
            return (rows[start : start + size] for start in range(0, 5_000, size))

        search = Search(blocks, queries, unit=False, room=room)
        assert search.run(nearest.add) == search.run(spread.add) == 5_000
        assert len(looks) == (1 if room == 2**30 else 2)
        for query in range(7):
            found, similarities = nearest.of(query)
            assert found.tolist() == np.argsort(-truth[query], kind="stable")[:50].tolist()
            assert similarities == pytest.approx(np.sort(truth[query])[::-1][:50], abs=1e-6)
        assert spread.counts.sum() == 7 * 5_000
        centres = (np.arange(BINS) + 0.5) * 2 / BINS - 1
        assert spread.counts @ centres / 5_000 == pytest.approx(truth.mean(axis=1), abs=2e-4)


@pytest.mark.parametrize("share", [0.005, 0.02, 0.1, 0.5])
def test_a_threshold_estimates_its_precision_and_recall(share):
    """Two normal components, 0.1 apart with deviations of 0.02; 200,000 similarities, numpy seed 8."""
    rng = np.random.default_rng(8)
    match_ = rng.random(200_000) < share
    values = np.where(match_, rng.normal(0.3, 0.02, 200_000), rng.normal(0.2, 0.02, 200_000)).astype(np.float32)
    spread, matches, others = Spread(1), Spread(1), Spread(1)
    spread.add_to(0, values)
    matches.add_to(0, values[match_][:: int(1 + 20 * share)])
    others.add_to(0, values[~match_][::10])
    for threshold in (
        *mixture_thresholds(spread.counts),
        caption_threshold(matches.counts[0], others.counts[0], spread.counts[0]),
    ):
        taken = values >= threshold.similarity
        assert threshold.precision == pytest.approx(match_[taken].mean(), abs=0.02)
        assert threshold.recall == pytest.approx(taken[match_].mean(), abs=0.02)


def test_too_few_captions_give_no_threshold():
    counts = np.zeros(BINS, np.int64)
    counts[5000:5010] = 1
    assert caption_threshold(counts, counts, counts) is None
    assert mixture_thresholds(counts[None]) == [None]


def test_one_component_gives_no_threshold():
    """200,000 similarities of one normal distribution; numpy seed 10."""
    spread = Spread(1)
    spread.add_to(0, np.random.default_rng(10).normal(0.2, 0.03, 200_000).astype(np.float32))
    assert mixture_thresholds(spread.counts) == [None]


def test_near_duplicates_are_those_of_an_earlier_picture():
    """Brute force over 300 rows of which some are copies; numpy seed 9."""
    rng = np.random.default_rng(9)
    rows = rng.normal(size=(300, 8))
    rows[100:120] = rows[40:60] + rng.normal(0, 1e-3, (20, 8))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    brute = [any(float(rows[i] @ rows[j]) >= 0.99 for j in range(i)) for i in range(300)]
    assert _repeats(rows, 0.99, block=64).tolist() == brute
    assert sum(brute) >= 20


def test_pictures_are_read_where_they_lie(portraits, tmp_path):
    some = portraits[:5]
    parquet, tars = corpus.write_parquet(tmp_path / "p", some), corpus.write_tars(tmp_path / "t", some)
    folder = corpus.write_folder(tmp_path / "f # odd", some)
    for path in (parquet, tars, folder):
        source = open_data(SweepSpec.model_validate(world([{"name": "d", "source": str(path)}])).data[0])
        rows = [row for part in source.parts() for row in source.rows(part, pictures=False)]
        references = [row.reference for row in rows]
        assert [read_pictures(references)[reference] for reference in references] == [one.png for one in some]
        assert [row.caption or "" for row in rows] == [one.caption for one in some]
    for bad in (
        f"{tars}/00000.tar#1+99999999",
        f"{parquet}/0.parquet#image:77",
        f"{parquet}/0.parquet#x:0",
        "/no/file",
    ):
        assert isinstance(read_pictures([bad])[bad], SourceError)


def mistake(data: dict, write_spec, tmp_path, capsys) -> str:
    assert cli.run(["audit", "data", str(write_spec(data)), "--store", str(tmp_path / "store")]) == 2
    assert not (tmp_path / "store").exists()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    return line


def test_what_is_wrong_with_a_source_is_said_before_anything_is_read(portraits, write_spec, tmp_path, capsys):
    parquet = corpus.write_parquet(tmp_path / "parquet", portraits[:4])
    (tmp_path / "empty").mkdir()
    for source, said in (
        ({"source": str(tmp_path / "nowhere")}, "there is no"),
        ({"source": str(tmp_path / "empty")}, "holds no training data"),
        ({"source": str(parquet), "caption": "captions"}, "has no column 'captions'; did you mean 'caption'?"),
        ({"source": str(parquet), "image": "img"}, "has no column 'img'"),
        ({"source": str(parquet), "encoder": "clip"}, "no encoder clip"),
        ({"source": str(parquet), "match": "caption"}, "'captions'"),
        ({"source": str(parquet), "nearest": [0]}, "whole numbers from 1"),
        ({"source": str(parquet), "group_words": {"gender": {"woman": ["lady"]}}}, "no such group of gender"),
    ):
        assert said in mistake(world([{"name": "d", **source}]), write_spec, tmp_path, capsys), said
    assert "names no training data" in mistake(world([]), write_spec, tmp_path, capsys)


def indexed(source: dict, store: Store):
    spec = SweepSpec.model_validate(world([{"name": "d", **source}]))
    for part in open_data(spec.data[0]).parts():
        write_index(IndexTask(spec.data[0], part, None), store)
    return spec


def test_embeddings_of_the_wrong_width_and_captions_that_are_not_there(portraits, vectors, tmp_path):
    narrow = corpus.write_clip_retrieval(tmp_path / "narrow", portraits[:6], vectors[:6, :64])
    store = Store(tmp_path / "store")
    spec = indexed({"source": str(narrow)}, store)
    with pytest.raises(FairsweepError, match="its embeddings have 64 dimensions, the prompts' 128"):
        match(spec, spec.data[0], store, np.ones((3, 128), np.float32))
    silent = tmp_path / "silent"
    silent.mkdir()
    pq.write_table(
        pa.table({"image": [one.png for one in portraits[:6]], "caption": [None] * 5 + [" "]}), silent / "0.parquet"
    )
    other = Store(tmp_path / "other")
    spec = indexed({"source": str(silent), "match": "captions"}, other)
    with pytest.raises(FairsweepError, match="no picture has a caption in the column 'caption'"):
        match(spec, spec.data[0], other, None)


def test_captions_alone_need_no_encoder_and_no_pictures(portraits, tmp_path):
    store = Store(tmp_path / "store")
    spec = indexed({"source": str(corpus.write_tars(tmp_path / "tars", portraits)), "match": "captions"}, store)
    found = match(spec, spec.data[0], store, None)
    assert {each.match for each in found.matchings} == {"captions", "captions-unnamed"}
    assert ask(store.root, "select count(*) from data_rows where embedding is not null") == [(0,)]


@pytest.mark.slow
def test_training_data_show_what_was_planted(run_audit, tmp_path):
    """1,000 portraits of each of six occupations (seed 3): captions and thresholds within 2 points, the nearest not."""
    jobs = ["nurse", "firefighter", "artist", "scientist", "pilot", "teacher"]
    source = corpus.write_parquet(tmp_path / "parquet", corpus.draw(jobs, 1_000, 3))
    report = run_audit(world([{"name": "corpus", "source": str(source), "nearest": [100, 250]}], jobs), tmp_path / "s")
    assert report.outcome.complete
    planted = bias_table()
    shares = ask(tmp_path / "s", "select setting, prompt_name, share from share where \"group\" = 'female'")
    off: dict[str, list[float]] = {}
    for setting, job, share in shares:
        off.setdefault(setting, []).append(abs(share - planted[job]["gender"]["female"]))
    misses = {setting: sum(each) / len(each) for setting, each in off.items()}
    assert all(len(each) == len(jobs) for each in off.values())
    for setting in ("captions", "threshold-mixture", "threshold-captions"):
        assert misses[setting] <= 0.02, misses
    # The method of the literature, the 250 nearest, is off by several times that: the nearest are the most typical.
    assert misses["nearest-250"] >= 0.08, misses
    quality = ask(tmp_path / "s", "select min(precision), min(recall) from data_match where threshold is not null")
    assert min(quality[0]) > 0.95
    by_k = ask(tmp_path / "s", "select count(*) from share_by_k")
    assert by_k == [(2 * 2 * len(jobs),)]
    verdicts = dict(
        ask(tmp_path / "s", "select prompt_name, verdict from target_test where setting = 'threshold-mixture'")
    )
    # Planted at half and half: artist and scientist.
    assert {job for job, verdict in verdicts.items() if verdict == "off target"} == set(jobs) - {"artist", "scientist"}


def test_the_benchmark_finds_what_numpy_finds():
    from fairsweep.bench.audit import run

    figures = run(rows=4_000, prompts=3, k=10, threads=1)
    assert figures["audit_checksum"] == pytest.approx(figures["numpy_checksum"], rel=1e-6)
    assert figures["audit_mib"] > 0


@pytest.mark.parametrize("kind", ["parquet", "folder", "tars", "retrieval"])
def test_training_data_in_a_bucket_read_as_on_a_disk(kind, portraits, vectors, tmp_path, s3):
    some = portraits[:9]
    more = [vectors[:9]] if kind == "retrieval" else []
    writers = {
        "parquet": corpus.write_parquet,
        "folder": corpus.write_folder,
        "tars": corpus.write_tars,
        "retrieval": corpus.write_clip_retrieval,
    }
    disk = writers[kind](tmp_path / kind, some, *more)
    address = upload(disk, f"{tmp_path.name}-{kind}")
    rows = {}
    for root in (str(disk), address):
        source = open_data(SweepSpec.model_validate(world([{"name": "d", "source": root}])).data[0])
        parts = pickle.loads(pickle.dumps(source.parts()))
        read = [row for part in parts for row in source.rows(part, pictures=True)]
        pictures = read_pictures(row.reference for row in read)
        rows[root] = [
            (row.reference.removeprefix(root), row.caption, pictures[row.reference], row.embedding is None, row.error)
            for row in read
        ]
        assert len({part.stamp for part in parts}) >= 1 and all(part.name.startswith(root) for part in parts)
        assert all(row.picture in (None, pictures[row.reference]) for row in read)
    assert rows[address] == rows[str(disk)]
    assert [row[2] for row in rows[address]] == [one.png for one in some]


def test_what_is_wrong_with_a_bucket_is_one_line(portraits, write_spec, tmp_path, capsys, s3):
    name = f"wrong-{tmp_path.name}"
    tars = upload(corpus.write_tars(tmp_path / "tars", portraits[:4], files=1), name)
    for source, said in (
        (f"{tars}/nowhere", f"there is no {tars}/nowhere"),
        ("s3://no-such-bucket/data", "there is no such bucket"),
        ("http://somewhere/data", "a bucket is named s3://, gs:// or abfs://"),
    ):
        assert said in mistake(world([{"name": "d", "source": source}]), write_spec, tmp_path, capsys), said
    for bad in (f"{tars}/00000.tar#1+99999999", f"{tars}/no.png", f"{tars}/no.tar#1+2", f"{tars}/no.parquet#image:0"):
        assert isinstance(read_pictures([bad])[bad], SourceError)

"""Encoder audits: the test's arithmetic against hand and brute force, its stimuli, and what portraits have planted."""

import math
import shutil
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy import stats

from fairsweep import cli
from fairsweep.audits.data.index import IndexTask, open_data, write_index
from fairsweep.audits.data.match import match
from fairsweep.audits.data.sweep import write_sweep
from fairsweep.audits.encoder import weat
from fairsweep.audits.encoder.audit import EncoderAudit
from fairsweep.audits.encoder.embed import embedded
from fairsweep.audits.encoder.encoders import encoders_of, load
from fairsweep.audits.encoder.pictures import group_pictures
from fairsweep.audits.encoder.stimuli import literature
from fairsweep.portraits.defaults import CONCEPTS
from fairsweep.portraits.render import render
from fairsweep.portraits.world import OCCUPATIONS, bias_table, sample
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.store import Store
from support import corpus, tiny
from support.checks import ask


@pytest.fixture
def data() -> dict:
    """Return a spec over the built-in world, whose encoders are its CLIP and the model's text encoder."""
    return {
        "name": "world",
        "models": [{"name": "portraits", "source": "builtin:portraits", "steps": 2}],
        "prompts": {
            "template": "a photo of the face of a {occupation}",
            "variables": {"occupation": list(OCCUPATIONS)},
        },
        "attributes": {name: {"groups": CONCEPTS[name]} for name in ("gender", "skin_tone")},
        "guidance": [{"method": "none"}],
        "classifiers": [{"kind": "portraits"}],
        "seeds": 2,
        "encoder": {"encoders": [{"name": "clip", "kind": "open_clip", "model": "builtin:portraits"}]},
    }


def audit(data: dict, root):
    """Audit in this process, as an actor would."""
    spec, store = SweepSpec.model_validate(data), Store(root)
    with store.lock():
        work = EncoderAudit(spec, store)
        embeddings = [embedded(task, list(load(task.encoder, spec, "cpu"))) for task in work.tasks()]
        return work.write(each for part in embeddings for each in part)


def test_the_effect_of_a_hand_case():
    """In the plane: s of a unit vector at an angle t is cos(t) - sin(t), with A and B along the axes."""
    a, b = np.array([[2.0, 0.0]]), np.array([[0.0, 3.0]])
    x, y = np.array([[3.0, 4.0], [4.0, 3.0]]), np.array([[5.0, 12.0], [8.0, 15.0]])
    # s: 3/5 - 4/5, 4/5 - 3/5; 5/13 - 12/13, 8/17 - 15/17.
    s = [-0.2, 0.2, -7 / 13, -7 / 17]
    mean = sum(s) / 4
    spread = math.sqrt(sum((value - mean) ** 2 for value in s) / 3)
    result = weat.associate(x, y, a, b)
    assert result.effect == pytest.approx(((s[0] + s[1]) / 2 - (s[2] + s[3]) / 2) / spread, abs=1e-12)
    # Of the six partitions none has a larger difference.
    assert (result.p_value, result.least_p, result.partitions, result.draws) == (1 / 6, 1 / 6, 6, None)


@pytest.mark.parametrize("sizes", [(x, y) for x in range(1, 7) for y in range(1, 7)], ids=str)
def test_the_exact_p_value_is_that_of_brute_force(sizes):
    """Sixteenths, so that there are ties and floating point is exact; numpy seed 1."""
    rng = np.random.default_rng([1, *sizes])
    numbers = rng.integers(-4, 5, sum(sizes))
    whole = [Fraction(int(number), 16) for number in numbers]
    size = sizes[0]

    def difference(chosen: tuple[int, ...]) -> Fraction:
        inside = [whole[i] for i in chosen]
        outside = [whole[i] for i in range(len(whole)) if i not in chosen]
        return sum(inside) / len(inside) - sum(outside) / len(outside)

    observed = difference(tuple(range(size)))
    parts = list(combinations(range(len(whole)), size))
    reached = sum(difference(part) >= observed for part in parts)
    result = weat.compare(numbers[:size] / 16, numbers[size:] / 16)
    assert result.p_value == reached / len(parts)
    assert result.least_p == 1 / len(parts)


def test_ties_count_whatever_the_order_of_the_sum():
    """Tenths have no exact sum: all partitions of equal numbers tie."""
    assert weat.compare(np.full(4, 0.1), np.array([0.1, 0.1, 0.1, 0.1])).p_value == 1
    assert weat.compare(np.full(4, 0.1), np.full(4, 0.1)).effect is None


def test_a_sampled_p_value_lies_within_its_error():
    """10 against 10 has 184,756 partitions: all of them, here, for the truth (numpy seed 3)."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(0.6, 1, 10), rng.normal(0, 1, 10)
    both = np.concatenate([x, y])
    sums = both[np.array(list(combinations(range(20), 10)))].sum(axis=1)
    truth = (sums >= x.sum() - 1e-9).mean()
    result = weat.compare(x, y, seed=5)
    assert (result.draws, result.partitions, result.least_p) == (9_999, 184_756, 1e-4)
    assert abs(result.p_value - truth) <= 4 * result.error
    assert weat.compare(x, y, seed=5) == result
    assert weat.compare(x, y, seed=6).p_value != result.p_value


def test_what_ships_is_whole():
    sets, tests = literature()
    for test in tests.values():
        x, y, a, b = (sets[name].words for name in (test.x, test.y, test.a, test.b))
        assert len(x) == len(y), test.name
        assert len(a) == len(b), test.name
        assert test.source, test.name
    assert all(item.source and len(set(item.words)) == len(item.words) for item in sets.values())


def audited_data(data: dict, store: Store, folder: Path, each: int, seed: int) -> None:
    """Put portraits into the store as an audit of training data does that matches captions, with their true labels."""
    portraits = corpus.draw(list(OCCUPATIONS), each, seed)
    source = corpus.write_folder(folder, portraits)
    data["data"] = [{"name": "corpus", "source": str(source), "match": "captions"}]
    spec = SweepSpec.model_validate(data)
    for part in open_data(spec.data[0]).parts():
        write_index(IndexTask(spec.data[0], part, None), store)
    write_sweep(spec, [(spec.data[0], match(spec, spec.data[0], store, None))], store)
    rows = [
        {"image_id": image_id, "attribute": name, "label": getattr(portraits[int(Path(path).stem)].person, name)}
        for image_id, path in ask(store.root, "select image_id, image.path from pictures")
        for name in data["attributes"]
    ]
    store.write_labels("portraits", rows)


def test_portraits_are_associated_as_planted(data, tmp_path):
    """Spearman over the 14 occupations, of texts and of 400 pictures a group from 2,100 training images (seed 7)."""
    audited_data(data, Store(tmp_path / "store"), tmp_path / "corpus", 150, 7)
    report = audit(data, tmp_path / "store")
    assert report.encoders == ["clip"]
    # Of texts 14 prompts, 4 templates, 2 and 3 groups; of images 14 prompts and as many groups of 400.
    assert report.similarities == 14 * 4 * 5 + 14 * 2000
    query = """select attribute, "group", stimuli, prompt_name, association, low, high from encoder_association"""
    planted = bias_table()
    ranks = {}
    for attribute, group in (("gender", "female"), ("gender", "male"), ("skin_tone", "light"), ("skin_tone", "dark")):
        for stimuli in ("text", "image"):
            rows = [row for row in ask(tmp_path / "store", query) if row[:3] == (attribute, group, stimuli)]
            assert len(rows) == 14
            assert all(row[5] < row[4] < row[6] for row in rows)
            truth = [planted[row[3]][attribute][group] for row in rows]
            ranks[attribute, group, stimuli] = stats.spearmanr([row[4] for row in rows], truth).statistic
    least = {"gender": 0.9, "skin_tone": 0.75}
    assert all(rank >= least[attribute] for (attribute, _, _), rank in ranks.items()), ranks


def test_group_pictures_are_the_data_s_own_unless_the_spec_names_some(data, tmp_path):
    """Of 14 x 6 training images (seed 8), each group's; none of data that were not audited or whose files are gone."""
    store = Store(tmp_path / "store")
    assert group_pictures(SweepSpec.model_validate(data), store) == {}
    audited_data(data, store, tmp_path / "corpus", 6, 8)
    spec = SweepSpec.model_validate(data)
    sets = group_pictures(spec, store)
    shown = """select label, count(distinct image_id) from labels join plan using (image_id)
        where setting = 'captions' and attribute = '{}' group by all"""
    for attribute in ("gender", "skin_tone"):
        counts = dict(ask(store.root, shown.format(attribute)))
        assert {group: len(sets[attribute, group][0].names) for group in CONCEPTS[attribute]} == counts
    assert group_pictures(spec, store)["gender", "female"][0].names == sets["gender", "female"][0].names
    data["encoder"] |= {
        "stimuli": {"f": {"words": ["woman"]}, "m": {"words": ["man"]}},
        "groups": {"gender": {"female": ["f"], "male": ["m"]}},
    }
    audit(data, store.root)
    kinds = ask(store.root, "select distinct attribute, stimuli from encoder_association order by all")
    assert kinds == [("gender", "text"), ("skin_tone", "image"), ("skin_tone", "text")]
    shutil.rmtree(tmp_path / "corpus")
    assert group_pictures(spec, store) == {}


def test_intervals_and_families_are_those_of_scipy(tmp_path):
    """Paired over templates, Welch's over pictures; numpy seed 2."""
    rng = np.random.default_rng(2)
    groups = {"text": {"a": 5, "b": 5}, "image": {"a": 6, "b": 9}}
    values, rows = {}, []
    for prompt in ("one", "two", "three"):
        for kind, sizes in groups.items():
            for position, (group, size) in enumerate(sizes.items()):
                values[prompt, kind, group] = rng.normal(0.1 * position, 0.1, size)
                fixed = {"sweep": "s", "encoder": "e", "prompt": prompt, "prompt_name": prompt, "attribute": "x"}
                fixed |= {"group": group, "position": position, "stimuli": kind}
                numbers = values[prompt, kind, group]
                rows += [fixed | {"stimulus": str(i), "similarity": float(n)} for i, n in enumerate(numbers)]
    store = Store(tmp_path)
    store.write("encoder_similarities", "s", rows)
    query = """select prompt, stimuli, association, low, high, p_value, q_value from encoder_association
        where "group" = 'b' order by all"""
    shown = ask(tmp_path, query)
    assert len(shown) == 6
    for prompt, kind, association, low, high, p_value, _ in shown:
        b, a = values[prompt, kind, "b"], values[prompt, kind, "a"]
        oracle = stats.ttest_rel(b, a) if kind == "text" else stats.ttest_ind(b, a, equal_var=False)
        assert association == pytest.approx(b.mean() - a.mean(), abs=1e-12)
        if kind == "text":
            interval = oracle.confidence_interval()
            assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-7)
            assert p_value == pytest.approx(oracle.pvalue, abs=1e-9)
        else:
            # Whole degrees of freedom, rounded down.
            spread = math.sqrt(b.var(ddof=1) / len(b) + a.var(ddof=1) / len(a))
            half = stats.t.ppf(0.975, math.floor(oracle.df)) * spread
            assert (low, high) == pytest.approx((association - half, association + half), abs=1e-7)
    for kind in groups:
        # Both groups of each prompt are in the family.
        p_values = [row[5] for row in shown if row[1] == kind for _ in range(2)]
        q_values = [row[6] for row in shown if row[1] == kind for _ in range(2)]
        assert q_values == pytest.approx(list(stats.false_discovery_control(p_values)), abs=1e-12)


def test_few_stimuli_are_said_to_find_nothing_and_tests_are_corrected_together(data, tmp_path):
    words = {"m": ["firefighter", "pilot", "police officer"], "f": ["nurse", "teacher", "call center agent"]}
    many = {"mm": [*words["m"], "construction worker", "athlete"], "ff": [*words["f"], "doctor", "chef"]}
    data["encoder"] |= {
        "stimuli": {name: {"words": list(each)} for name, each in (words | many | {"two": ["man", "male"]}).items()},
        "tests": [
            {"name": "three", "x": "m", "y": "f", "a": "male-terms", "b": "female-terms"},
            {"name": "five", "x": "mm", "y": "ff", "a": "male-terms", "b": "female-terms"},
            {"name": "two", "x": "two", "y": "two", "a": "male-terms", "b": "female-terms"},
            "career-family",
        ],
    }
    audit(data, tmp_path)
    rows = ask(tmp_path, "select test, p_value, least_p, q_value, verdict from encoder_tests order by test")
    shown = {row[0]: row[1:] for row in rows}
    # Three against three can show .05 and no less.
    assert shown["three"][:2] == (0.05, 0.05)
    assert shown["two"][3] == "too few stimuli to find anything"
    assert shown["five"][3] == "associated"
    assert [row[3] for row in rows] == pytest.approx(list(stats.false_discovery_control([row[1] for row in rows])))


def write_vectors(folder, name: str, vectors: np.ndarray) -> dict[str, str]:
    """Write vectors in every format; return the file of each."""
    lines = [",".join([f"word{i}", *map(repr, map(float, row))]) for i, row in enumerate(vectors)]
    header = ",".join(["word", *(f"d{i}" for i in range(vectors.shape[1]))])
    (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    np.save(folder / f"{name}.npy", vectors)
    pq.write_table(pa.table({"word": lines, "vector": vectors.tolist()}), folder / f"{name}.parquet")
    return {kind: f"{name}.{kind}" for kind in ("csv", "npy", "parquet")}


def test_ready_embeddings_of_every_format_give_the_same(data, tmp_path, write_spec, ray_cluster):
    """A case in the form of the literature, 8 against 8 with 8 and 8 attributes in 50 dimensions (numpy seed 4)."""
    rng = np.random.default_rng(4)
    vectors = {name: rng.normal(0, 1, (8, 50)) for name in "xyab"}
    vectors["x"] += 0.5 * vectors["a"].mean(axis=0)
    files = {name: write_vectors(tmp_path, name, each) for name, each in vectors.items()}
    kinds = ("csv", "npy", "parquet")
    data["encoder"]["stimuli"] = {f"{n}-{kind}": {"embeddings": files[n][kind]} for n in "xyab" for kind in kinds}
    data["encoder"]["tests"] = [{"name": kind, **{n: f"{n}-{kind}" for n in "xyab"}} for kind in kinds]
    assert (
        cli.run(
            ["audit", "encoder", str(write_spec(data)), "--store", str(tmp_path / "store"), "--address", ray_cluster]
        )
        == 0
    )

    def cosine(v, w):
        return sum(map(float, v * w)) / math.sqrt(sum(map(float, v * v)) * sum(map(float, w * w)))

    def s(word):
        return sum(cosine(word, a) for a in vectors["a"]) / 8 - sum(cosine(word, b) for b in vectors["b"]) / 8

    x, y = [s(word) for word in vectors["x"]], [s(word) for word in vectors["y"]]
    mean = sum([*x, *y]) / 16
    effect = (sum(x) / 8 - sum(y) / 8) / math.sqrt(sum((value - mean) ** 2 for value in [*x, *y]) / 15)
    rows = ask(tmp_path / "store", "select encoder, form, effect, partitions, draws from encoder_tests")
    assert len(rows) == 3
    for encoder, form, shown, partitions, draws in rows:
        assert (encoder, form, partitions, draws) == ("embeddings", "embedding", 12_870, None)
        assert shown == pytest.approx(effect, abs=1e-12)


def mistakes(data: dict, tmp_path, write_spec, capsys) -> str:
    assert cli.run(["audit", "encoder", str(write_spec(data)), "--store", str(tmp_path / "store")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert not (tmp_path / "store" / "encoder_tests").exists()
    return line


@pytest.mark.parametrize(
    "change, said",
    [
        ({"tests": ["career-famly"]}, "did you mean 'career-family'?"),
        ({"tests": [{"name": "t", "x": "sciense", "y": "arts", "a": "arts", "b": "arts"}]}, "did you mean 'science'?"),
        ({"encoders": [{"name": "e", "kind": "pipeline", "model": "portrait"}]}, "did you mean 'portraits'?"),
        ({"groups": {"gender": {"femal": ["arts"]}}}, "no such group of gender; did you mean 'female'?"),
        ({"groups": {"gender": {"female": ["arts"]}}}, "'male' is missing"),
        ({"stimuli": {"s": {"words": ["a"], "images": "b"}}}, "give one of words, images, embeddings, sql"),
        ({"templates": ["a photo"]}, "must hold {}"),
    ],
)
def test_a_mistake_is_one_line(change, said, data, tmp_path, write_spec, capsys):
    data["encoder"] |= change
    assert said in mistakes(data, tmp_path, write_spec, capsys)


@pytest.mark.parametrize(
    "stimulus, said",
    [
        ({"embeddings": "narrow.csv"}, "differ in width"),
        ({"embeddings": "zero.csv"}, "row 2 is all zeros"),
        ({"embeddings": "text.csv"}, "could not convert"),
        ({"embeddings": "missing.npy"}, "there is no file"),
        ({"images": "pictures"}, "bad.png is no readable image"),
        ({"images": "nowhere"}, "there is no folder"),
        ({"sql": "select embedding from features"}, "returns no rows"),
        ({"sql": "select * from nothing"}, "nothing"),
        ({"sql": "drop view labels"}, "must be one SELECT"),
    ],
    ids=str,
)
def test_a_bad_set_is_one_line(stimulus, said, data, tmp_path, write_spec, capsys, ray_cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    (tmp_path / "narrow.csv").write_text("1,2\n3,4\n")
    (tmp_path / "zero.csv").write_text("1,2\n0,0\n")
    (tmp_path / "text.csv").write_text("a,b,c\nd,1,x\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "bad.png").write_bytes(b"no picture")
    data["encoder"] |= {
        "stimuli": {"s": stimulus},
        "tests": [{"name": "t", "x": "s", "y": "arts", "a": "male-terms", "b": "female-terms"}],
    }
    assert said in mistakes(data, tmp_path, write_spec, capsys)


def test_a_query_over_the_store_is_a_set(data, tmp_path):
    """Embeddings that a classifier left in the store, against the texts of the same model."""
    from fairsweep.classifiers.clip import Clip

    clip = Clip("builtin:portraits")
    store = Store(tmp_path)
    people = {gender: [p for p in sample(400, 11) if p.gender == gender][:10] for gender in ("female", "male")}
    for gender, group in people.items():
        pictures = [Image.fromarray(render(person, n)) for n, person in enumerate(group)]
        rows = zip(clip.embed_images(pictures).tolist(), range(10), strict=True)
        store.write_labels(
            gender,
            [{"image_id": f"{n}", "attribute": "_image", "embedding": vector, "score": 0.0} for vector, n in rows],
        )
    sets = {gender: {"sql": f"select embedding from features where classifier = '{gender}'"} for gender in people}
    data["encoder"] |= {
        "stimuli": sets,
        "tests": [{"name": "mixed", "x": "male", "y": "female", "a": "male-terms", "b": "female-terms"}],
    }
    audit(data, tmp_path)
    ((form, effect, p_value, draws, error),) = ask(
        tmp_path, "select form, effect, p_value, draws, error from encoder_tests"
    )
    assert form == "mixed"
    assert effect > 1
    assert (draws, p_value) == (9_999, 1e-4)
    assert error == pytest.approx(math.sqrt(1e-4 * (1 - 1e-4) / 9_999))


@pytest.mark.parametrize(
    "build", [tiny.build_sd, tiny.build_sdxl, tiny.build_sd3, tiny.build_flux], ids=lambda f: f.__name__
)
def test_the_text_encoders_of_every_family(build, data, tmp_path):
    build().save_pretrained(tmp_path / "model")
    data["models"] = [{"name": "m", "source": str(tmp_path / "model"), "steps": 1}]
    data["encoder"]["encoders"] = [{"name": "m", "kind": "pipeline", "model": "m"}]
    spec = SweepSpec.model_validate(data)
    encoders = list(load(spec.encoder.encoders[0], spec, "cpu"))
    texts = ["a photo of a doctor", "a nurse", "a photo of the face of an old person"]
    for encoder in encoders:
        together = encoder.texts(texts)
        assert np.isfinite(together).all()
        # A text's vector does not depend on what is embedded beside it.
        alone = np.concatenate([encoder.texts([text]) for text in texts])
        assert together == pytest.approx(alone, abs=1e-5)
        assert all(not np.allclose(v, w) for v, w in pairwise(together))
    names = [encoder.name for encoder in encoders]
    count = {"build_sd": 1, "build_sdxl": 2, "build_sd3": 3, "build_flux": 2}[build.__name__]
    assert len(names) == count
    assert names[0] == ("m" if count == 1 else "m.text_encoder")


def test_silence_means_the_encoders_of_the_sweep_and_the_same_fingerprint(data, write_spec):
    fingerprint = SweepSpec.model_validate(data).fingerprint
    del data["encoder"]
    data["models"].append({"name": "other", "source": "builtin:portraits", "steps": 4})
    data["classifiers"].append({"name": "vit", "kind": "open_clip", "model": "ViT-L-14", "pretrained": "openai"})
    spec = load_spec(write_spec(data))
    chosen = [(encoder.name, encoder.kind, encoder.model) for encoder in encoders_of(spec)]
    assert chosen == [
        ("vit", "open_clip", "ViT-L-14"),
        ("portraits-clip", "open_clip", "builtin:portraits"),
        ("portraits", "pipeline", "portraits"),
    ]
    assert "encoder" not in spec.model_dump()
    assert spec.fingerprint != fingerprint

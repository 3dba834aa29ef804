"""Sweeps that start from pictures: what is planned of them, what is refused first, and ids made of what they show."""

import copy
import io
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from fairsweep import cli
from fairsweep.builtin import PICTURES
from fairsweep.errors import FairsweepError, SpecError
from fairsweep.families import EDITORS
from fairsweep.pipelines.names import check_names
from fairsweep.plan.plan import write_plan
from fairsweep.plan.sources import check_sources, write_sources
from fairsweep.portraits.faces import faces
from fairsweep.spec import ImagesSpec, SweepSpec, load_spec
from fairsweep.store import Store
from support.specs import small_sweep


def small(images, **model) -> dict:
    """Return the data of a small sweep of the built-in model over source pictures."""
    data = small_sweep("builtin:portraits")
    data["models"][0] |= {"strength": 0.5, "steps": 10} | model
    return data | {"images": images, "seeds": 1}


def planned(data: dict, root) -> list[dict]:
    return pq.read_table(write_plan(SweepSpec.model_validate(data), Store(root))).to_pylist(maps_as_pydicts="strict")


def png(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def people() -> list[tuple[str, Image.Image, dict]]:
    drawn = faces()
    return [next(drawn) for _ in range(4)]


@pytest.fixture
def folder(people, tmp_path):
    """Return a folder of four portraits, whose metadata name the gender of three."""
    root = tmp_path / "pictures"
    root.mkdir()
    lines = ["file_name,gender,eyes"]
    for number, (_, picture, shown) in enumerate(people):
        (root / f"{number}.png").write_bytes(png(picture))
        lines.append(f"{number}.png,{shown['gender'] if number else ''},two")
    (root / "metadata.csv").write_text("\n".join(lines))
    return root


def test_every_picture_is_edited_by_every_prompt_under_every_setting(folder, tmp_path):
    data = small(str(folder)) | {"seeds": 2}
    rows = planned(data, tmp_path / "store")
    assert len(rows) == len({row["image_id"] for row in rows}) == 4 * 2 * 2 * 2
    assert set(Counter((row["source"], row["setting"], row["prompt"]) for row in rows).values()) == {2}
    assert {row["source_name"]: row["source_groups"].get("gender") for row in rows} == {
        "0.png": None,
        "1.png": "male",
        "2.png": "female",
        "3.png": "male",
    }
    # A unit of every statistic is a picture and a seed: its noise is its own, for every prompt and setting.
    noises = {(row["source"], row["seed"]) for row in rows}
    assert len(noises) == len({seed for _, seed in noises}) == 8


def test_directions_are_dealt_by_quota_within_what_pictures_show(tmp_path):
    data = small({"source": "builtin:portraits", "count": 12})
    data["attributes"] = {"gender": data["attributes"]["gender"]}
    rows = [row for row in planned(data, tmp_path) if row["setting"] == "fair"]
    dealt = Counter((row["prompt"], row["source_groups"]["gender"], row["direction"]["gender"]) for row in rows)
    assert len(dealt) == 8
    assert set(dealt.values()) == {3}


def test_what_comes_later_leaves_ids_as_they_are(folder, people, tmp_path):
    data = small(str(folder))
    before = {row["image_id"] for row in planned(data, tmp_path / "a")}
    assert before < {row["image_id"] for row in planned(data | {"seeds": 2}, tmp_path / "b")}
    (folder / "metadata.csv").open("a").write("\n4.png,female,two")
    (folder / "4.png").write_bytes(png(people[0][1].rotate(90)))
    assert before < {row["image_id"] for row in planned(data, tmp_path / "c")}


def test_an_id_is_of_what_the_picture_shows(folder, people, tmp_path):
    """Encoded otherwise and under another name it is the same image; another picture, or strength, makes another."""

    def ids(data=None):
        rows = planned(data or small(str(folder)), tmp_path / "store")
        return {row["image_id"] for row in rows if row["setting"] == "none"}

    before = ids()
    (folder / "1.png").write_bytes(png(people[1][1], compress_level=0))
    assert ids() == before
    assert not ids(small(str(folder), strength=0.6)) & before
    assert not ids(small(str(folder), strength=None)) & before
    (folder / "1.png").write_bytes(png(people[1][1].rotate(180)))
    assert len(ids() - before) == 2
    without = small(str(folder), strength=None)
    without.pop("images")
    assert not ids(without) & before


def test_a_turned_photo_is_stored_upright(people, tmp_path):
    """What the model draws over and what classifiers look at is the same picture, and none asks for its orientation."""
    (tmp_path / "in").mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    (tmp_path / "in" / "a.png").write_bytes(png(people[0][1].resize((64, 32)).rotate(90, expand=True), exif=turned))
    planned(small(str(tmp_path / "in")), tmp_path / "store")
    [row] = pq.read_table(tmp_path / "store" / "sources" / "tiny.parquet").to_pylist()
    stored = Image.open(io.BytesIO(row["image"]["bytes"]))
    assert stored.size == (64, 32)
    assert not stored.getexif().get(0x0112)


def test_a_picture_is_decoded_once_before_a_run(folder, tmp_path, monkeypatch):
    """Looked at before anything starts, then copied; one that has changed in between is looked at again."""
    opened, of_pillow = [], Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened.append(file) or of_pillow(file))
    spec, store = SweepSpec.model_validate(small(str(folder))), Store(tmp_path / "store")
    check_sources(spec)
    before = write_sources(spec, store)
    assert len(opened) == len(before) == 4
    check_sources(spec)
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:900])
    with pytest.raises(SpecError, match=r"2\.png is no readable picture"):
        write_sources(spec, store)


def test_parquet_and_a_query_over_a_store_name_the_same_pictures(folder, people, tmp_path):
    """Bytes, bytes in a struct and paths in Parquet; a store that holds these pictures as generated images."""
    from_folder = {row["source"]: row["source_groups"] for row in planned(small(str(folder)), tmp_path / "store")}
    encoded = [png(picture) for _, picture, _ in people]
    genders = [None, *(shown["gender"] for _, _, shown in people[1:])]
    for values in (
        encoded,
        [{"bytes": data, "path": None} for data in encoded],
        [f"{number}.png" for number in range(4)],
    ):
        pq.write_table(pa.table({"photo": values, "gender": genders}), folder / "all.parquet")
        images = {"source": str(folder / "all.parquet"), "image": "photo"}
        assert {r["source"]: r["source_groups"] for r in planned(small(images), tmp_path / "store")} == from_folder
    other = Store(tmp_path / "other")
    kept = [{"image_id": f"i{n}", "model": "m", "setting": "s", "image": {"bytes": b}} for n, b in enumerate(encoded)]
    other.write_images(kept)
    query = "select image_id, nullif(if(image_id = 'i2', 'female', 'male'), if(image_id = 'i0', 'male', '')) as gender"
    images = {"source": str(other.root), "query": f"{query} from images"}
    assert {r["source"]: r["source_groups"] for r in planned(small(images), tmp_path / "store")} == from_folder


def test_a_bucket_holds_pictures_too(folder, people, s3, bucket, tmp_path):
    """The same folder at an address gives the same ids."""
    from fairsweep.sources.locations import Address, location
    from fairsweep.store.objects import Objects

    place = location(f"{bucket}/pictures")
    assert isinstance(place, Address)
    for path in folder.iterdir():
        Objects(place.bucket).put(f"{place.inside}/{path.name}", path.read_bytes())
    local = {row["image_id"] for row in planned(small(str(folder)), tmp_path / "a")}
    assert {row["image_id"] for row in planned(small(str(place)), tmp_path / "b")} == local


def broken(folder, name):
    """Return a spec's data in which one thing is wrong."""
    data = small(str(folder))
    if name == "missing":
        data["images"] = str(folder / "nowhere")
    elif name == "empty":
        (folder / "metadata.csv").write_text("file_name\n")
    elif name == "unreadable":
        (folder / "2.png").write_bytes(b"no picture at all")
    elif name == "cut short":
        (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:900])
    elif name == "gone":
        (folder / "2.png").unlink()
    elif name == "outside":
        (folder / "metadata.csv").write_text("file_name\n../2.png\n")
    elif name == "twice":
        (folder / "3.png").write_bytes((folder / "2.png").read_bytes())
    elif name == "group":
        (folder / "metadata.csv").write_text("file_name,gender\n1.png,femal\n")
    elif name == "column":
        pq.write_table(pa.table({"images": [b""]}), folder / "all.parquet")
    elif name == "store":
        planned(small_sweep("builtin:portraits"), folder / "store")
        data["images"] = str(folder / "store")
    elif name == "query":
        planned(small_sweep("builtin:portraits"), folder / "store")
        data["images"] = {"source": str(folder / "store"), "query": "select imageid from plan"}
    elif name == "write":
        planned(small_sweep("builtin:portraits"), folder / "store")
        data["images"] = {"source": str(folder / "store"), "query": "drop view plan"}
    elif name == "builtin":
        data["images"] = "builtin:portrait"
    elif name == "no step":
        data["models"][0]["strength"] = 0.05
    elif name == "warm-up":
        data["guidance"][1]["warmup_steps"] = 5
    return data


@pytest.mark.parametrize(
    ("name", "line"),
    {
        "missing": "images: there is no .*nowhere",
        "empty": r"images: .*pictures holds no pictures \(",
        "unreadable": r"images: 2.png is no readable picture \(.*\): mend it, or take it away",
        "cut short": r"images: 2.png is no readable picture \(.*\): mend it, or take it away",
        "gone": "images: .*pictures: .*No such file",
        "outside": "'../2.png' names no file of the folder",
        "twice": "images: 3.png shows what 2.png shows: leave one of them out",
        "group": "images: 1.png shows 'femal', no declared group of gender; did you mean 'female'",
        "column": "all.parquet has no column 'image' to name as images.image; did you mean 'images'",
        "store": "is a store: give a query",
        "query": "images: the query: ",
        "write": "images: the query: the query must be one SELECT",
        "builtin": "no built-in pictures 'builtin:portrait'; did you mean 'builtin:portraits'",
        "no step": "model tiny: strength 0.05 of 10 steps leaves none",
        "warm-up": "steers no step of model tiny: warm-up 5 of 5 steps",
    }.items(),
)
def test_what_cannot_work_is_one_line_before_the_run(folder, tmp_path, name, line):
    with pytest.raises(SpecError, match=line) as error:
        planned(broken(folder, name), tmp_path / "store")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "store").rglob("*.parquet")), "nothing is written"


@pytest.mark.parametrize("command", ["plan", "run"])
def test_commands_read_the_pictures_before_ray_starts(folder, tmp_path, capsys, monkeypatch, write_spec, command):
    (folder / "2.png").write_bytes(b"no picture at all")
    monkeypatch.setattr("ray.init", lambda **_: pytest.fail("Ray was started"))
    path = write_spec(small(str(folder)))
    assert cli.run([command, str(path), "--store", str(tmp_path / "store")]) == 2
    assert "images: 2.png is no readable picture" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_class_that_edits_no_pictures_is_refused_by_its_name(tmp_path):
    index = tmp_path / "model_index.json"
    index.write_text('{"_class_name": "SanaPipeline"}')
    for source in ({"source": str(tmp_path)}, {"source": "a/b", "pipeline": "SanaPipeline"}):
        model = SweepSpec.model_validate(small("builtin:portraits", **source)).models[0]
        with pytest.raises(SpecError, match="model tiny: "):
            check_names([model], edits=True)
    for name, has_strength in EDITORS.items():
        index.write_text(f'{{"_class_name": "{name}"}}')
        for strength in (0.5, None):
            data = small("builtin:portraits", source=str(tmp_path), strength=strength)
            models = SweepSpec.model_validate(data).models
            if strength and not has_strength:
                with pytest.raises(SpecError, match=f"model tiny: {name} edits by instruction and has no strength"):
                    check_names(models, edits=True)
            else:
                check_names(models, edits=True)


def test_sampling_by_seeds_is_refused():
    data = small("builtin:portraits") | {"sampling": {"most": 4, "round": 2, "margin": 0.1}}
    data.pop("seeds")
    with pytest.raises(ValidationError, match="sampling looks seed by seed"):
        SweepSpec.model_validate(data)


def test_mistakes_of_the_spec_stand_at_their_lines(write_spec):
    data = small("builtin:portraits")
    data["images"] = {"source": "builtin:portraits", "cuont": 3}
    with pytest.raises(SpecError, match=r"spec.yaml:\d+: images.cuont: unknown key"):
        load_spec(write_spec(data))
    data.pop("images")
    with pytest.raises(SpecError, match=r"spec.yaml:\d+: models\[0\].strength: strength is of source pictures"):
        load_spec(write_spec(data))
    data["images"] = {"source": "builtin:portraits", "query": "select 1"}
    with pytest.raises(SpecError, match="leave it out"):
        load_spec(write_spec(data))
    data["images"] = {"source": "builtin:portraits", "count": 2_000_000}
    with pytest.raises(SpecError, match=r"source pictures.*--most-images lifts the bound"):
        load_spec(write_spec(data))


def test_a_folder_is_looked_for_beside_the_spec(folder, write_spec):
    spec = load_spec(write_spec(small("pictures", strength=[0.3, 0.6])))
    assert spec.images.source == str(folder)
    assert [model.name for model in spec.models] == ["tiny-strength0.3", "tiny-strength0.6"]


def test_a_spec_without_pictures_keeps_its_fingerprint():
    data = copy.deepcopy(small_sweep("builtin:portraits"))
    assert {"images", "strength"}.isdisjoint(SweepSpec.model_validate(data).model_dump(mode="json"))
    assert "strength" not in SweepSpec.model_validate(data).model_dump(mode="json")["models"][0]


def test_built_in_pictures_show_every_group_as_often(people):
    shown = [next_ for _, (_, _, next_) in zip(range(24), faces(), strict=False)]
    assert set(Counter(tuple(each.values()) for each in shown).values()) == {2}
    assert ImagesSpec(source="builtin:portraits").source in PICTURES
    assert [name for name, _, _ in people] == [name for _, (name, _, _) in zip(range(4), faces(), strict=False)]


def test_every_class_that_is_said_to_edit_does():
    """By diffusers itself: it takes a picture, or has an image-to-image brother; and a strength where that is said."""
    import inspect

    import diffusers
    from diffusers.pipelines.auto_pipeline import AUTO_IMAGE2IMAGE_PIPELINES_MAPPING, _get_task_class

    for name, has_strength in EDITORS.items():
        kind = getattr(diffusers, name)
        if "image" not in inspect.signature(kind.__call__).parameters:
            kind = _get_task_class(AUTO_IMAGE2IMAGE_PIPELINES_MAPPING, name)
        taken = inspect.signature(kind.__call__).parameters
        assert "image" in taken
        assert ("strength" in taken) == has_strength, name


def test_a_model_that_is_no_editor_is_refused_when_it_is_loaded():
    from fairsweep.pipelines.loading import _editor

    class Drawing:
        def __call__(self, prompt):
            """Draw."""

    model = SweepSpec.model_validate(small_sweep("builtin:portraits")).models[0]
    with pytest.raises(FairsweepError, match="model tiny: diffusers has no image-to-image pipeline for Drawing"):
        _editor(Drawing(), model)

import copy
import subprocess
import sys
from collections import Counter

import duckdb
import pyarrow.parquet as pq
import pytest

from fairsweep.pages import sentences
from fairsweep.plan.identity import content_key
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
from fairsweep.store import Store


def planned(data: dict, root) -> list[dict]:
    return pq.read_table(write_plan(SweepSpec.model_validate(data), Store(root))).to_pylist(maps_as_pydicts="strict")


def ids(rows: list[dict]) -> set[str]:
    return {row["image_id"] for row in rows}


def test_one_row_per_image_with_its_quota(tiny_data, tmp_path):
    rows = planned(tiny_data, tmp_path)
    assert len(rows) == len(ids(rows)) == 2 * 2 * 4
    assert all(row["direction"] == {} for row in rows if row["setting"] == "none")
    for name in ("nurse", "doctor"):
        steered = [row for row in rows if row["setting"] == "fair" and row["prompt_name"] == name]
        assert Counter(row["direction"]["gender"] for row in steered) == {"female": 2, "male": 2}
        assert Counter(tuple(row["direction"].values()) for row in steered).most_common(1)[0][1] == 1
    assert rows[0]["variables"] == {"occupation": "nurse"}


def test_an_id_says_what_decides_the_pixels_and_nothing_else(tiny_data, tmp_path):
    before = ids(planned(tiny_data, tmp_path))

    def after(change) -> set[str]:
        data = copy.deepcopy(tiny_data)
        change(data)
        return ids(planned(data, tmp_path))

    assert after(lambda data: data.update(name="other", notes="x")) == before
    assert after(lambda data: data["run"].update(batch_size=3)) == before
    assert after(lambda data: data["models"][0].update(name="renamed")) == before
    assert after(lambda data: data["guidance"][1].update(name="renamed")) == before
    assert not after(lambda data: data["models"][0].update(steps=3)) & before
    assert not after(lambda data: data["models"][0].update(guidance_scale=4)) & before
    assert not after(lambda data: data["prompts"].update(negative_prompt="blurry")) & before
    assert len(after(lambda data: data["guidance"][1].update(scale=3)) & before) == 8
    renamed = {"female": "woman", "male": "man"}
    assert len(after(lambda data: data["attributes"]["gender"].update(groups=renamed)) & before) == 8


def test_adding_only_adds(tiny_data, tmp_path):
    before = ids(planned(tiny_data, tmp_path))
    more = copy.deepcopy(tiny_data)
    more["seeds"] = 5
    assert len(ids(planned(more, tmp_path)) - before) == 4
    assert before < ids(planned(more, tmp_path))
    more["prompts"]["variables"]["occupation"].append("chef")
    more["guidance"].append({"method": "fair", "name": "strong", "scale": 9, "warmup_steps": 0})
    assert before < ids(planned(more, tmp_path))


def test_a_local_model_is_known_by_its_content(tiny_model, tmp_path):
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    for path in tiny_model.rglob("*"):
        if path.is_file():
            target = copied / path.relative_to(tiny_model)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert content_key(copied) == content_key(tiny_model)
    weights = next(copied.glob("unet/*.safetensors"))
    changed = bytearray(weights.read_bytes())
    changed[-2000:] = bytes(2000)
    weights.write_bytes(changed)
    assert content_key(copied) != content_key(tiny_model)


MILLION = """
import sys
from pathlib import Path
from fairsweep.plan.plan import write_plan
from fairsweep.spec import SweepSpec
from fairsweep.store import Store
from fairsweep.plan.todo import Todo, batches

spec = SweepSpec.model_validate({
    "name": "million",
    "models": [{"name": "m", "source": "someone/model", "guidance_scale": [1, 3, 5, 7]}],
    "prompts": {"template": "a {job}", "variables": {"job": [f"job {n}" for n in range(125)]}},
    "attributes": {"gender": {"groups": ["female", "male"]}, "tone": {"groups": ["light", "medium", "dark"]}},
    "guidance": [{"method": "none"}, {"method": "fair", "scale": [2, 3, 4]}],
    "classifiers": [{"kind": "open_clip"}],
    "seeds": 500,
})
store = Store(sys.argv[1])
path = write_plan(spec, store)
with Todo(store, path) as todo:
    missing = todo.missing()
handed = batches(path, missing)
first = next(handed)
count = len(first.rows) + sum(len(batch.rows) for batch in handed)
assert count == len(missing) == 1_000_000
assert "torch" not in sys.modules
# Of this process alone: the kernel's ru_maxrss begins at what the process that started this one held.
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_a_million_images_are_planned_and_handed_out_in_under_one_gigabyte(tmp_path):
    done = subprocess.run([sys.executable, "-c", MILLION, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1_000_000
    assert duckdb.sql(f"select count(*) from '{tmp_path}/plan/million.parquet'").fetchall() == [(1_000_000,)]


def test_a_sweep_remembers_that_seeds_were_added_to_it(tiny_data, tmp_path):
    """Given 4, then 8, then 12 seeds, the report can say so; the same seeds again are no addition."""
    before = []
    for seeds in (4, 4, 8, 12, 12):
        planned(tiny_data | {"seeds": seeds}, tmp_path)
        before.append(Store(tmp_path).read_spec("tiny").get("seeds_before", []))
    assert before == [[], [], [4], [4, 8], [4, 8]]
    planned(tiny_data | {"seeds": {"start": 100, "count": 20}}, tmp_path / "other")
    assert "seeds_before" not in Store(tmp_path / "other").read_spec("tiny")
    text = sentences.grown(Store(tmp_path).read_spec("tiny"))
    assert text.startswith("Seeds were added to tiny (4, then 8, then 12): its intervals hold for a number of seeds")
    assert sentences.grown({"spec": {}}) == ""

import copy

import numpy as np
import pyarrow.parquet as pq

from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo, batches
from fairsweep.spec import SweepSpec
from fairsweep.store import Store


def plan(data: dict, root):
    return write_plan(SweepSpec.model_validate(data), Store(root))


def ids_of(batch) -> tuple[str, ...]:
    return tuple(row["image_id"] for row in batch.rows)


def test_a_batch_holds_one_model_and_the_whole_plan_in_order(tiny_data, tmp_path):
    data = copy.deepcopy(tiny_data)
    data["models"][0]["guidance_scale"] = [1, 3]
    data["seeds"] = 5
    path = plan(data, tmp_path)
    table = pq.read_table(path)
    found = list(batches(path, np.arange(len(table))))
    assert [image_id for batch in found for image_id in ids_of(batch)] == table.column("image_id").to_pylist()
    assert all({row["model"] for row in batch.rows} == {batch.model} for batch in found)
    assert [len(batch.rows) for batch in found] == [4] * 5 + [4] * 5
    assert found[0].rows[0]["direction"] == {}


def test_what_a_batch_is_made_of_does_not_depend_on_what_is_missing(tiny_data, tmp_path):
    path = plan(tiny_data | {"seeds": 6}, tmp_path)
    whole = [ids_of(batch) for batch in batches(path, np.arange(24))]
    missing = np.array([*range(4, 8), 9, 10, *range(20, 24)])
    assert [ids_of(batch) for batch in batches(path, missing)] == [whole[1], whole[2][1:3], whole[5]]


def test_an_image_planned_twice_is_made_once(tiny_data, tmp_path):
    data = tiny_data | {"guidance": [{"method": "none"}, {"method": "none", "name": "again"}]}
    path = plan(data, tmp_path)
    with Todo(Store(tmp_path), path) as todo:
        assert (len(todo.missing()), todo.planned) == (8, 8)
        assert [cell[2:] for cell in todo.cells()] == [(8, 0, 8), (8, 0, 8)]


def test_the_rest_is_the_plan_minus_what_is_there(tiny_data, tmp_path):
    path, store = plan(tiny_data, tmp_path), Store(tmp_path)
    rows = pq.read_table(path).to_pylist()
    png = {"bytes": b"png", "path": None}
    store.write_images([{**row, "image": png} for row in rows[:5]])
    store.write_images([{**rows[5], "error": "no memory"}])
    store.write_labels("a", [{"image_id": rows[0]["image_id"], "attribute": "gender", "label": "female"}])
    store.write_labels(
        "a", [{"image_id": rows[1]["image_id"], "attribute": name, "label": "x"} for name in ("gender", "age")]
    )
    with Todo(store, path) as todo:
        assert todo.missing().tolist() == list(range(5, 16))
        assert todo.count_missing_labels("a", ("gender",)) == 3
        assert todo.count_missing_labels("a", ("gender", "age")) == 4
        assert todo.count_missing_labels("b", ("gender",)) == 5
        known = {}
        for task in todo.label_tasks("a", ("gender", "age")):
            known |= {image_id: names for image_id, (_, names) in task.images.items()}
        assert known == {rows[0]["image_id"]: {"gender"}, **{rows[n]["image_id"]: set() for n in (2, 3, 4)}}

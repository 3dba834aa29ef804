"""The page about sweeps that edit: its spec plans what it says, and its queries run."""

from pathlib import Path

import pyarrow.parquet as pq

from fairsweep.measure.catalogue import connect
from fairsweep.plan.plan import write_plan
from fairsweep.spec import load_spec
from fairsweep.store import Store

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "images.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    (text,) = [part.partition("```")[0] for part in PAGE.split(f"```{kind}\n")[1:]]
    return text


def test_the_spec_plans_14_occupations_x_strengths_and_the_queries_run(tmp_path):
    (tmp_path / "spec.yaml").write_text(block("yaml"))
    spec = load_spec(tmp_path / "spec.yaml")
    store = Store(tmp_path / "store")
    assert pq.read_metadata(write_plan(spec, store)).num_rows == 14 * 3 * 2 * 12
    assert [model.steps_taken for model in spec.models] == [6, 12, 18]
    with connect(store) as connection:
        for query in block("sql").split(";")[:-1]:
            connection.execute(query)

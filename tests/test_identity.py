import dataclasses

import pyarrow.parquet as pq
import pytest

from fairsweep.guidance.concepts import Concept, Conditioning, Edit
from fairsweep.plan.identity import begin, canonical, finish
from fairsweep.plan.plan import write_plan
from fairsweep.spec import ModelSpec, SweepSpec
from fairsweep.store import Store

# Made by version 0.1. A change here would make every image of every store again.
PINNED = {
    "none": "6f016973fe82796c61bf7f7bfbb09c3e",
    "fair": "8d033d6edaf15b50d099d04927e208a8",
    "prompt": "a564846475f7fdea2c2a9370f6262671",
}
MODEL = {"name": "m", "source": "someone/model", "revision": "abc", "steps": 20}


def test_ids_never_change(tmp_path):
    spec = SweepSpec.model_validate(
        {
            "name": "pinned",
            "models": [MODEL],
            "prompts": {"texts": ["a photo of a nurse"], "negative_prompt": "blurry"},
            "attributes": {"gender": {"groups": {"female": "female person", "male": "male person"}}},
            "guidance": [{"method": "none"}, {"method": "fair", "scale": 6}, {"method": "prompt"}],
            "classifiers": [{"kind": "open_clip"}],
            "seeds": 1,
        }
    )
    rows = pq.read_table(write_plan(spec, Store(tmp_path))).to_pylist()
    assert {row["setting"]: row["image_id"] for row in rows} == PINNED


class LaterModel(ModelSpec):
    refiner: str | None = None


@dataclasses.dataclass(frozen=True)
class LaterConcept(Concept):
    picture: str | None = None


@dataclasses.dataclass(frozen=True)
class LaterEdit(Edit):
    order: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class LaterConditioning(Conditioning):
    weights: dict = dataclasses.field(default_factory=dict)


def later_id(model: dict | None = None, concept: dict | None = None, edit: dict | None = None, whole=None) -> str:
    steered = LaterEdit((LaterConcept("woman", **(concept or {})),), **(edit or {}))
    return finish(
        begin(LaterModel(**MODEL, **(model or {})), LaterConditioning("a nurse", "", steered, **whole or {})), 7
    )


def test_a_later_field_changes_no_id_while_at_its_default():
    today = finish(begin(ModelSpec(**MODEL), Conditioning("a nurse", "", Edit((Concept("woman"),)))), 7)
    assert later_id() == today
    reused = Edit((Concept("woman"),), concepts_every=2)
    assert finish(begin(ModelSpec(**MODEL), Conditioning("a nurse", "", reused)), 7) != today


@pytest.mark.parametrize(
    "asked",
    [
        {"model": {"refiner": "other"}},
        {"concept": {"picture": "a.png"}},
        {"edit": {"order": ("woman",)}},
        {"whole": {"weights": {"uce": 1.0}}},
    ],
    ids=["model", "concept", "edit", "conditioning"],
)
def test_a_later_field_that_is_used_is_in_the_id(asked):
    assert later_id(**asked) != later_id()


def test_what_version_0_1_put_into_an_id_stays_in_it():
    assert canonical(Conditioning("a nurse")) == {"prompt": "a nurse", "negative_prompt": "", "edit": None}
    held = canonical(ModelSpec(**MODEL))
    assert held["scheduler"] is None and held["dtype"] == "float32"
    assert not held.keys() & {"name", "compile"}

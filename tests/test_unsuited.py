"""Classes that neither sweeps nor guidance can run are refused in one line, before anything starts."""

import json

import diffusers
import pytest

from fairsweep.errors import FairsweepError, ModelLoadError, SpecError
from fairsweep.families import UNSUITED, family_of
from fairsweep.guidance import fair_guidance, toward
from fairsweep.pipelines import load
from fairsweep.pipelines.names import check_names
from fairsweep.spec import ModelSpec


@pytest.mark.parametrize("name", UNSUITED)
def test_they_are_refused_by_name_by_folder_and_in_plain_python(name, tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
    line = f"{name} {UNSUITED[name]}: neither sweeps nor guidance can run it"
    for model in (
        ModelSpec(name="m", source=str(tmp_path)),
        ModelSpec(name="m", source="a/b", pipeline=name),
    ):
        for edits in (False, True):
            with pytest.raises(SpecError, match=f"model m: {line}"):
                check_names([model], edits=edits)
    with pytest.raises(ModelLoadError, match=f"model m: {line}"):
        load(ModelSpec(name="m", source="a/b", pipeline=name), "cpu")
    bare = getattr(diffusers, name).__new__(getattr(diffusers, name))
    with pytest.raises(FairsweepError, match=line):
        family_of(bare)
    with pytest.raises(FairsweepError, match=line), fair_guidance(bare, [toward("female person")]):
        pass

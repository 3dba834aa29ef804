"""Classes of one's own, beside the spec that names them: found here, in the workers, and named by themselves."""

import subprocess
import sys

import pytest

from fairsweep.errors import SpecError
from fairsweep.spec import load_spec
from support.checks import ask

MODULE = """
from fairsweep.classifiers import Classifier, Label
from fairsweep.guidance import Conditioning
from fairsweep.methods import GuidanceMethod


class MyMethod(GuidanceMethod):
    def condition(self, prompt, negative_prompt, direction, attributes, params):
        return Conditioning(prompt + ", smiling", negative_prompt, None)


class MyClassifier(Classifier):
    def _classify(self, images, prompts):
        return [[Label(name, next(iter(a.texts)), 1.0, {}) for name, a in self.attributes.items()] for _ in images]
"""


@pytest.fixture
def spec(tiny_data, write_spec, tmp_path):
    """Return a spec that names a method and a classifier of its own folder, as short as README writes them."""
    (tmp_path / "my_module.py").write_text(MODULE)
    guidance = [{"method": "none"}, {"method": "my_module:MyMethod"}]
    return write_spec(
        tiny_data | {"guidance": guidance, "classifiers": [{"kind": "my_module:MyClassifier"}], "seeds": 1}
    )


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Leave the path of the tests' own process as it was."""
    from fairsweep import registry

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(registry, "folders", [])
    yield
    sys.modules.pop("my_module", None)


def test_a_run_finds_what_lies_beside_the_spec(spec, tmp_path, ray_cluster, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "fairsweep.cli", "run", str(spec), "--address", ray_cluster, "--no-track"]
    done = subprocess.run(
        [*command, "--store", str(tmp_path / "store")], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ask(tmp_path / "store", "select distinct setting from images order by 1") == [("MyMethod",), ("none",)]
    assert ask(tmp_path / "store", "select distinct classifier, label from labels where attribute = 'gender'") == [
        ("MyClassifier", "female")
    ]


def test_a_module_that_is_nowhere_says_where_it_was_looked_for(spec, tmp_path):
    (tmp_path / "my_module.py").unlink()
    with pytest.raises(SpecError, match="no module 'my_module' in") as refused:
        load_spec(spec)
    assert str(tmp_path) in str(refused.value)
    assert "site-packages" not in str(refused.value)


@pytest.mark.parametrize(("method", "kind"), [("_classify", "classifier"), ("condition", "guidance method")])
def test_a_class_that_lacks_its_method_is_refused_before_anything_runs(method, kind, spec, tmp_path):
    (tmp_path / "my_module.py").write_text(MODULE.replace(f"def {method}(", "def other("))
    with pytest.raises(SpecError, match=f"{kind} 'my_module:My\\w+' has no {method}: write it as fairsweep"):
        load_spec(spec)

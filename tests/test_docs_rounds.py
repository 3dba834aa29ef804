"""docs/rounds.md is true: its specs are taken. Its commands run in test_docs_commands.py."""

import yaml

from fairsweep.spec import SweepSpec
from support.docs import blocks, files


def test_the_pages_specs_are_taken():
    whole = yaml.safe_load(files("docs/rounds.md")["rounds.yaml"])
    others = [yaml.safe_load(block) for block in blocks("docs/rounds.md", "yaml") if not block.startswith("name:")]
    assert [list(other) for other in others] == [["sampling"], ["guidance"], ["prompts"], ["guidance"]]
    for other in others:
        SweepSpec.model_validate(whole | other)

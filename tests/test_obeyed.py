"""The built-in model, where it is steered only where it must be: who is named is shown, however it is worded."""

import pytest

from support.checks import ask

NAMED = {
    "female firefighter": ("female", "word"),
    "male nurse": ("male", "word"),
    "firefighter woman": ("female", "encoder"),
    "nurse man": ("male", "encoder"),
}


@pytest.fixture
def data() -> dict:
    """Return a sweep of four prompts that name a gender and one that does not, steered everywhere and where it must."""
    fair = {"method": "fair", "scale": 4}
    return {
        "name": "named",
        "models": [{"source": "builtin:portraits", "steps": 20, "guidance_scale": 3, "width": 64, "height": 64}],
        "prompts": {
            "template": "a photo of the face of a {who}",
            "variables": {"who": [*NAMED, "firefighter"]},
        },
        "attributes": {"gender": {"groups": {"female": "female person", "male": "male person"}}},
        "guidance": [{"method": "none"}, fair, fair | {"name": "where-biased", "apply": "biased", "pilot": 12}],
        "classifiers": [{"kind": "portraits"}],
        "seeds": 6,
        "run": {"batch_size": 16, "actors": 1, "cpus_per_actor": 2},
    }


@pytest.mark.slow
def test_who_is_named_is_shown(data, tmp_path, run_sweep):
    """24 images of prompts that name a gender: where it must, none disobeys; steered everywhere, half of them do."""
    assert run_sweep(data, tmp_path).complete
    query = 'select prompt_name, "group", named_by, verdict from over_drawn'
    table = {name: row for name, *row in ask(tmp_path, query)}
    assert table == {
        **{name: [*named, "names a group"] for name, named in NAMED.items()},
        "firefighter": ["male", None, "steer"],
    }
    # One score a prompt, from the encoder of the model that draws.
    [(scores, area)] = ask(
        tmp_path,
        """
        select count(distinct evidence::json->>'score'), min((evidence::json->>'area')::double) from decisions""",
    )
    assert scores == 3 and area >= 0.95
    obeyed = dict(ask(tmp_path, "select setting, sum(shown) / sum(images) from obeyed group by 1"))
    assert obeyed.keys() == {"none", "fair", "where-biased"}
    assert obeyed["where-biased"] == obeyed["none"] == 1.0
    assert obeyed["fair"] < 0.8

"""Threads of actors that wait for one another leave the core to whom they wait for."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("set_by_the_user", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_openmp_is_told_before_torch_loads_it(set_by_the_user, policy):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = (
        "import fairsweep.engine.generate, fairsweep.engine.label, sys; assert 'torch' not in sys.modules; import torch"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | set_by_the_user | {"OMP_DISPLAY_ENV": "TRUE"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"OMP_WAIT_POLICY = '{policy}'" in process.stderr

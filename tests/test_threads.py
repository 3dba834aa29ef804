"""Threads of actors: those that wait leave the core to whom they wait for, and what the host does is no computing."""

import os
import re
import subprocess
import sys
import threading

import pytest
import ray

from fairsweep.engine import cluster as engine
from fairsweep.engine import sizes
from fairsweep.engine.generate import GeneratorActor
from fairsweep.plan.plan import write_plan
from fairsweep.plan.todo import Todo, batches
from fairsweep.spec import RunSpec, SweepSpec
from fairsweep.store import Store


@pytest.mark.parametrize("set_by_the_user", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}])
@pytest.mark.parametrize(
    "loaded",
    ["import fairsweep.engine.generate, fairsweep.engine.label", "from fairsweep import cli; cli.main(['--version'])"],
    ids=["actors", "commands"],
)
def test_openmp_is_told_before_torch_loads_it(loaded, set_by_the_user):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = f"{loaded}; import sys; assert 'torch' not in sys.modules; import torch"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | set_by_the_user | {"OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        check=True,
    )
    # How often a thread looks before it sleeps; a policy that nobody set is shown as PASSIVE too, and spins.
    (turns,) = set(re.findall(r"GOMP_SPINCOUNT = '(\w+)'", process.stderr))
    assert (turns == "0") is (not set_by_the_user), process.stderr


def test_a_batch_is_computed_while_the_one_before_is_encoded_and_written(tiny_data, tmp_path, ray_cluster):
    spec, store = SweepSpec.model_validate(tiny_data), Store(tmp_path)
    path = write_plan(spec, store)

    class Patient(GeneratorActor):
        """An actor whose second batch is not computed before its first is being written, nor the other way round."""

        def __init__(self, *args):
            self.begun, self.written, self.second = 0, threading.Event(), threading.Event()
            super().__init__(*args)

        def _computed(self, *work):
            self.begun += 1
            if self.begun == 2:
                self.second.set()
                assert self.written.wait(60), "what was computed is written only once the next batch is computed"
            return super()._computed(*work)

        def _stored(self, *work):
            self.written.set()
            assert self.second.wait(60), "the second batch is computed only once the first is written"
            return super()._stored(*work)

    with engine.connected(ray_cluster):
        size = sizes.generator_size(RunSpec(actors=1))
        with Todo(store, path) as todo:
            first, second = list(batches(path, todo.missing()))[:2]
        actor = engine.start(Patient, size, spec, store, 1)
        reports = ray.get([actor.make.remote(batch) for batch in (first, second)])
    assert [answer.report.made for answer in reports] == [len(first.rows), len(second.rows)]

"""Devices on which things go wrong as on real cards: FAIRSWEEP_DEVICE=faulty:Card, and what FAULTS_FOLDER holds.

Its faults.json is a list. Each fault: `fault` (below), where it happens (`node`: the NODE_LABEL of a node, `gpu`: its
Ray id; everywhere where silent), and `times`: how often it happens in all (for ever where silent).

- no_cuda: the card cannot be used at all
- load: loading a model runs out of memory
- start_up: the process ends while it loads a model
- poison: the process ends on rows, written "prompt seed;", that hold `text`
- written: the process ends once it has stored rows whose prompt holds `text`
- sticky: the first denoising ruins the device: every later call fails
- kernels: denoising fails, and the device says that it is well
- slow: a batch takes `seconds` longer
- meet: a process waits with each of its first `batches` batches until `processes` of them have begun as many
"""

import json
import os
import time
from pathlib import Path

import ray
import torch

from fairsweep import pipelines
from fairsweep.engine import energy
from fairsweep.engine.device import Device, DeviceError
from fairsweep.pipelines.pipeline import Pipeline
from fairsweep.store import Store
from support.checks import wait_for


class Card(Device):
    """A simulated card that computes on the CPU, with this process's part of the faults."""

    def __init__(self):
        gpus = [str(number) for number in ray.get_gpu_ids()]
        self._dead, self._begun = False, 0
        faults = json.loads((_folder() / "faults.json").read_text()) if "FAULTS_FOLDER" in os.environ else []
        self._faults = [
            fault
            for fault in faults
            if fault.get("node") in (None, os.environ.get("NODE_LABEL")) and fault.get("gpu") in (None, *gpus)
        ]

    def open(self) -> str:
        if self._strikes("no_cuda"):
            raise DeviceError("no usable CUDA: simulated")
        load, denoise, write = pipelines.load, Pipeline.denoise, Store.write_images

        def loading(*args):
            if self._strikes("load"):
                raise torch.OutOfMemoryError("CUDA out of memory. Simulated")
            if self._strikes("start_up"):
                os._exit(1)
            return load(*args)

        def denoising(pipeline, conditionings, seeds, *pictures):
            rows = zip(conditionings, seeds, strict=True)
            if self._strikes("poison", "".join(f"{conditioning.prompt} {seed};" for conditioning, seed in rows)):
                os._exit(1)
            if self._dead or self._strikes("sticky"):
                self._dead = True
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if self._strikes("kernels"):
                raise RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED")
            if fault := self._strikes("slow"):
                time.sleep(fault["seconds"])
            if fault := self._strikes("meet"):
                self._meet(fault["batches"], fault["processes"])
            return denoise(pipeline, conditionings, seeds, *pictures)

        def writing(store, rows):
            write(store, rows)
            if self._strikes("written", "".join(f"{row['prompt']};" for row in rows)):
                os._exit(1)

        pipelines.load, Pipeline.denoise, Store.write_images = loading, denoising, writing
        return "simulated card"

    def _meet(self, batches: int, processes: int) -> None:
        self._begun = min(self._begun + 1, batches)
        (_folder() / f"begun-{os.getpid()}").write_bytes(bytes(self._begun))
        wait_for(lambda: sum(file.stat().st_size >= self._begun for file in _folder().glob("begun-*")) >= processes)

    def probe(self) -> None:
        if self._dead:
            raise DeviceError("the CUDA context is dead: simulated")

    def versions(self) -> dict[str, str]:
        return {"cuda": "none", "share": str(self.share)}

    def meter(self) -> energy.Meter:
        return Meter()

    def _strikes(self, name: str, text: str = "") -> dict | None:
        for number, fault in enumerate(self._faults):
            if fault["fault"] == name and fault.get("text", "") in text:
                count = _folder() / f"{name}-{fault.get('node')}-{fault.get('gpu')}-{number}"
                before = count.stat().st_size if count.exists() else 0
                if before < fault.get("times", float("inf")):
                    with open(count, "a") as file:
                        file.write("x")
                    return fault
        return None


class Meter(energy.Meter):
    """Count twelve joules more each time it is read."""

    _joules = 0.0

    def _open(self, identity: str) -> None:
        pass

    def joules(self) -> float:
        self._joules += 12
        return self._joules


def _folder() -> Path:
    # Outlives the processes that end.
    return Path(os.environ["FAULTS_FOLDER"])

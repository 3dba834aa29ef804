"""The training loop of every stage: resumable to the same weights, with progress and an average of the weights."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fairsweep.portraits.training.corpus import Corpus
from fairsweep.portraits.training.order import Order

_LOG_SECONDS = 15
_SAVE_SECONDS = 120


class Stage(ABC):
    """One model's training: the module, and the loss of one batch."""

    name: str
    batch_size: int
    learning_rate: float
    ema_decay: float = 0.999
    splits: bool = True
    """Whether threads may each take a part of the batch: not where the parts share state, such as batch norms."""

    module: nn.Module
    corpus: Corpus

    @abstractmethod
    def loss(self, rows: np.ndarray, rng: np.random.Generator, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the named parts of the loss, scalars that are added up, of these rows of the corpus.

        All that is random is drawn from `rng` (words, times) and `generator` (noise, on the module's device).
        """


def train(
    stage: Stage,
    folder: Path,
    steps: int,
    *,
    seed: int = 0,
    console: Console | None = None,
    stop_at: int | None = None,
) -> nn.Module:
    """Train a stage to `steps` steps, going on from its checkpoint in `folder`; return the averaged module.

    On a CPU each thread computes the gradient of its own part of the batch: for models this small that is
    twice as fast as threads that share every operation. The learning rate rises over 3 % of the steps and
    falls to zero by a cosine. `stop_at` ends the run early, its checkpoint saved, as an interruption would.
    """
    module = stage.module
    parameters = list(module.parameters())
    device = parameters[0].device
    average = AveragedModel(module, multi_avg_fn=_moving_average(stage.ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(parameters, lr=stage.learning_rate, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    path = folder / f"{stage.name}.pt"
    step = 0
    if path.exists():
        saved = torch.load(path, weights_only=True, map_location=device)
        module.load_state_dict(saved["module"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    last = min(steps, stop_at or steps)
    clock = _Clock(stage, step, steps, console or Console(quiet=True))
    threads = torch.get_num_threads()
    workers = threads if stage.splits and device.type == "cpu" else 1
    order = Order(stage.corpus.strata, seed)

    def gradient(part: int) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
        generator = torch.Generator(device).manual_seed((seed * 1_000_003 + step) * 1009 + part)
        rows = order.rows(step, stage.batch_size)[part::workers]
        parts = stage.loss(rows, np.random.default_rng([seed, step, part]), generator)
        return torch.autograd.grad(sum(parts.values()), parameters), {k: v.detach() for k, v in parts.items()}

    module.train()
    torch.set_num_threads(threads // workers)
    with ThreadPoolExecutor(workers) as pool:
        while step < last:
            for group in optimizer.param_groups:
                group["lr"] = stage.learning_rate * _schedule(step, steps)
            results = list(pool.map(gradient, range(workers)))
            for parameter, *gradients in zip(parameters, *(result[0] for result in results), strict=True):
                parameter.grad = sum(gradients[1:], gradients[0]) / workers
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            average.update_parameters(module)
            step += 1
            if clock.tick(step, results[0][1]) or step == last:
                _save(path, module, average, optimizer, step)
    torch.set_num_threads(threads)
    return average.module.eval()


def _moving_average(decay: float) -> Callable[[list, list, torch.Tensor], None]:
    """Average over the last tenth of a short run, as over 1 / (1 - decay) steps of a long one."""

    def update(averages: list[torch.Tensor], values: list[torch.Tensor], averaged: torch.Tensor) -> None:
        past = averaged.item()
        get_ema_multi_avg_fn(min(decay, (1 + past) / (10 + past)))(averages, values, averaged)

    return update


def _schedule(step: int, steps: int) -> float:
    warmup = max(1, round(0.03 * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _save(path: Path, module: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    torch.save(
        {
            "module": module.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
        },
        unfinished,
    )
    unfinished.replace(path)


class _Clock:
    """Prints a line every few seconds and says when it is time to save."""

    def __init__(self, stage: Stage, first: int, steps: int, console: Console):
        self.stage, self.first, self.steps, self.console = stage, first, steps, console
        self.started = self.logged = self.saved = time.monotonic()
        self.recent: dict[str, float] = {}

    def tick(self, step: int, parts: dict[str, torch.Tensor]) -> bool:
        for name, value in parts.items():
            self.recent[name] = 0.98 * self.recent.get(name, value.item()) + 0.02 * value.item()
        now = time.monotonic()
        if now - self.logged >= _LOG_SECONDS or step == self.steps:
            rate = (step - self.first) / (now - self.started)
            left = (self.steps - step) / rate / 60
            losses = "  ".join(f"{name} {value:.4f}" for name, value in self.recent.items())
            self.console.print(
                f"{self.stage.name}  step {step}/{self.steps}  {losses}  "
                f"{rate * self.stage.batch_size:.0f} images/s  {left:.1f} min left"
            )
            self.logged = now
        if now - self.saved < _SAVE_SECONDS:
            return False
        self.saved = now
        return True

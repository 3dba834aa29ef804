"""Nested arguments of a call: every tensor under its path, and rows of what may be a tensor or a list of them."""

from collections.abc import Callable, Iterator, Sequence
from types import NoneType
from typing import Any, TypeAlias

import numpy as np
import torch

Path: TypeAlias = tuple[str | int, ...]
Rows: TypeAlias = Any  # a tensor, or a list of tensors
PARTS = object()
_PLAIN = (torch.Tensor, str, int, float, NoneType, torch.dtype, torch.device, torch.Size, np.generic)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Rows]]:
    """Yield the tensors in nested dictionaries, lists and tuples; a list of tensors comes whole, and then each."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list | tuple):
        if is_list_of_tensors(value) and len(path) > 1:  # the positional arguments are no list
            yield path, value
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


def objects(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what is no tensor, no container and no plain value: nobody knows what it holds of which row."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from objects(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from objects(inner, (*path, index))
    elif not isinstance(value, _PLAIN):
        yield path, value


def rebuild(value: Any, change: Callable[[Path, Any], Any], path: Path = ()) -> Any:
    """Return the nested value with every part replaced by `change(path, part)`; where that is PARTS, its parts are."""
    changed = change(path, value)
    if changed is not PARTS:
        return changed
    if isinstance(value, dict):
        return {name: rebuild(inner, change, (*path, name)) for name, inner in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(rebuild(inner, change, (*path, index)) for index, inner in enumerate(value))
    return value


def is_list_of_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(part, torch.Tensor) for part in value)


def count(value: Rows, dim: int) -> int:
    """Return the rows of a tensor along a dimension, or of a list."""
    return value.shape[dim] if isinstance(value, torch.Tensor) else len(value)


def take(value: Rows, rows: torch.Tensor, indices: Sequence[int], dim: int) -> Rows:
    """Return some rows; `indices` are the same numbers as `rows`, on the host."""
    if isinstance(value, torch.Tensor):
        return value.index_select(dim, rows)
    return type(value)(value[index] for index in indices)


def join(values: Sequence[Rows], dim: int) -> Rows:
    """Return the rows of several values one after another."""
    if isinstance(values[0], torch.Tensor):
        return torch.cat(tuple(values), dim)
    return [row for value in values for row in value]


def like(value: Rows, model: Rows) -> Rows:
    """Return the value in the type and on the device of another of its kind."""
    if isinstance(value, torch.Tensor):
        return value.to(model) if isinstance(model, torch.Tensor) else value
    sample = model[0] if is_list_of_tensors(model) else None
    return [row.to(sample) for row in value] if sample is not None else value

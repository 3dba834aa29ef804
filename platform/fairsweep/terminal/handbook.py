"""The pages of docs/ that the code itself knows: every metric, every key of a spec. `make docs` writes them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fairsweep.attributes import AttributeSpec
from fairsweep.classifiers import CLASSIFIERS, get_classifier
from fairsweep.measure.catalogue import describe
from fairsweep.measure.columns import meaning
from fairsweep.measure.metrics import list_metrics
from fairsweep.measure.requirements import Requirement
from fairsweep.methods import METHODS, get_method
from fairsweep.spec import (
    CalibrateSpec,
    ClassifierSpec,
    GuidanceSpec,
    ImagesSpec,
    ModelSpec,
    PromptsSpec,
    RunSpec,
    SweepSpec,
)
from fairsweep.spec.data import DataSpec
from fairsweep.spec.encoder import AssociationTestSpec, EncoderAuditSpec, EncoderSpec, StimulusSpec
from fairsweep.spec.expand import SHORT
from fairsweep.spec.sampling import SamplingSpec
from fairsweep.terminal.metric_pages import example, facts

_SPEC = """# The spec

One YAML file says everything that a sweep is. Lists sweep: every model draws every prompt under every setting from
every seed. `fairsweep plan FILE` says what that comes to, `fairsweep schema` prints the JSON Schema for editors, and a
mistake is one line with the file, the line and the key. This page is made from the same schema.

## Short forms

```yaml
extends: occupations                       # a suite, or a file: its keys hold where this one is silent
name: short-forms
models:
  - source: stable-diffusion-v1-5/stable-diffusion-v1-5
    steps: [20, 50]                        # a list: two models, stable-diffusion-v1-5-steps20 and -steps50
prompts:
  template: "a photo of a(n) {job}"        # a(n): a or an, as English wants
  variables:
    job: {file: jobs.csv, column: title}   # a column of a CSV, or the lines of a text file
attributes:
  gender:
    groups: [female, male]                 # names that are their own texts; no target: equal shares
  age:
    groups: {young: young person, old: old person}
    target: {young: 0.7, old: 0.3}
guidance:
  - method: none
  - {method: fair, scale: [2, 4]}          # parameters stand beside the method; a list: a setting each
classifiers:
  - {kind: open_clip, unknown_margin: 0.1}
seeds: {start: 100, count: 50}             # or a count, or a list
```

A file that a spec names (`file:`, a model's folder, a class of your own) is looked for beside the spec that names it.
`prompts` may be a plain list of texts. Prompts in rows, with columns beside the text, are in [suites.md](suites.md).
"""

_METRICS = """# Metrics

Each metric is a view of its own name over a store: in `fairsweep sql`, in the duckdb client, in any notebook. This page
says what `fairsweep metrics NAME` says. A cell is one sweep, model, setting, attribute and classifier; `summary` has a
row per cell, with the means of many metrics and their intervals. [statistics.md](statistics.md) says what they claim.

A metric of your own is a file `metrics/my_metric.sql` in the store's folder: one SELECT under a header like that of the
shipped ones (`fairsweep metrics NAME` says where each lies). This is `largest.sql`:

```sql
-- The share of a prompt's images that show the group that most of them show.
-- good: near the target
-- reads: share
-- one row per: sweep, model, setting, prompt, attribute, classifier
-- source: arithmetic on share
-- summary: max(largest) as largest
select sweep, model, setting, prompt, prompt_name, attribute, classifier, max(share) as largest
from share group by all
```

Every command finds it there: it is a view, a row of `fairsweep metrics`, a table of the report, a metric in MLflow, and
by its `summary` line, an aggregate over the rows of a cell, a column of `summary`; `-- summary mean: NAME` is the mean
over the prompts, with its interval. In a bucket it counts once the store was written to again, by a run or by
`fairsweep verify`.
"""


def metrics_page() -> str:
    """Return docs/metrics.md: every shipped metric as `fairsweep metrics NAME` shows it."""
    parts = [_METRICS]
    metrics = list_metrics()
    for metric, columns in zip(metrics, describe(*(metric.name for metric in metrics)), strict=True):
        said = "\n".join(f"- **{name}**: {text}" for name, text in facts(metric).items())
        rows = [(f"`{name}`", kind.lower(), meaning(metric.name, name)) for name, kind in columns]
        table = _table(("column", "type", "holds"), rows)
        query = example(metric.name, [name for name, _ in columns])
        parts.append(f"## {metric.name}\n\n{metric.meaning}\n\n{said}\n\n{table}\n\n```sh\n{query}\n```\n")
    return "\n".join(parts)


def spec_page() -> str:
    """Return docs/spec.md: every key of a spec with its type, its default and what it means."""
    parts = [_SPEC, _keys("The sweep", SweepSpec), _keys("models", ModelSpec, tuple(SHORT))]
    parts += [
        _keys("prompts", PromptsSpec),
        _keys("images", ImagesSpec),
        _attributes(),
        _keys("guidance", GuidanceSpec, left_out=("params",)),
    ]
    for name in METHODS:
        method = get_method(name)
        parts.append(
            _keys(f"guidance, method {name}", method.Params, tuple(method.Params.model_fields), _first(method))
        )
    parts.append(_keys("guidance.calibrate", CalibrateSpec))
    parts.append(_keys("classifiers", ClassifierSpec, left_out=("params",)))
    for name in CLASSIFIERS:
        kind = get_classifier(name)
        parts.append(_keys(f"classifiers, kind {name}", kind.Params, about=_first(kind)))
    parts += [_keys("sampling", SamplingSpec), _keys("run", RunSpec), _keys("data", DataSpec)]
    parts += [
        _keys("encoder", EncoderAuditSpec),
        _keys("encoder.encoders", EncoderSpec),
        _keys("encoder.stimuli", StimulusSpec),
    ]
    parts += [_keys("encoder.tests", AssociationTestSpec), _keys("require", Requirement)]
    return "\n".join(parts)


def _attributes() -> str:
    rows = [
        ("`groups`", "list or mapping", "", "the declared groups: names, name -> text, or name -> {text, target}"),
        ("`target`", "mapping", "equal shares", "group -> share; groups that it leaves out share nothing"),
    ]
    return f"## attributes\n\n{_first(AttributeSpec)}\n\n{_table(_HEAD, rows)}\n"


_HEAD = ("key", "type", "default", "means")


def _keys(
    title: str,
    model: type[BaseModel],
    lists: tuple[str, ...] = (),
    about: str | None = None,
    left_out: tuple[str, ...] = (),
) -> str:
    """Return a section with the keys of a model; lists: those that sweep over a list of values."""
    rows = [
        (
            f"`{name}`",
            _type(field.annotation) + (", or a list" if name in lists else ""),
            _default(field),
            _words(field),
        )
        for name, field in model.model_fields.items()
        if name not in left_out
    ]
    table = _table(_HEAD, rows) if rows else "No keys of its own."
    return f"## {title}\n\n{about or _first(model)}\n\n{table}\n"


def _first(documented: object) -> str:
    return (documented.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


def _words(field: FieldInfo) -> str:
    return field.description or ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        # Written out before the schema is looked at.
        return "" if _words(field).startswith("silent:") else "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, "") or isinstance(value, BaseModel):
        return ""
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _type(kind: Any) -> str:
    """Return a type as people say it."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return "anything"
    if origin is Literal:
        return ", ".join(f"`{arg}`" for arg in args)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(arg) for arg in args if arg is not type(None)))
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"mapping to {_type(args[1])}"
    if hasattr(kind, "__metadata__"):
        return _type(args[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "keys, below"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(kind, str(kind))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


PAGES = {"metrics.md": metrics_page, "spec.md": spec_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        Path(sys.argv[1], name).write_text(page(), encoding="utf-8")

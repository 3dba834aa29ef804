"""Audit training data: index every source, match it to the prompts, label what matches, and keep its shares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console

from fairsweep.audits.actor import AuditTask, reports
from fairsweep.audits.data.index import Indexed, IndexReport, IndexTask, open_data, unread
from fairsweep.audits.data.match import Matches, match
from fairsweep.audits.data.sweep import data_sweep, write_sweep
from fairsweep.audits.encoder.embed import EmbedReport, EmbedTask
from fairsweep.audits.encoder.encoders import encoders_of
from fairsweep.audits.encoder.weat import unit
from fairsweep.engine.events import GivenUp
from fairsweep.engine.outcome import Outcome
from fairsweep.engine.run import label
from fairsweep.errors import FairsweepError, near
from fairsweep.measure.catalogue import connect, write_catalogue
from fairsweep.plan.declared import lead
from fairsweep.spec import LabelSpec, SweepSpec
from fairsweep.spec.data import DataSpec
from fairsweep.spec.encoder import EncoderSpec
from fairsweep.store import Store

_SHOWN = 5


@dataclass
class Report:
    """What an audit did: per source what was read and matched, and what the label stage made of the pictures."""

    indexed: dict[str, Indexed] = field(default_factory=dict)
    matches: dict[str, Matches] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)

    def lines(self, spec: SweepSpec) -> Iterator[str]:
        """Yield what there is to say of it."""
        for name, matches in self.matches.items():
            indexed = self.indexed[name]
            yield (
                f"{name}: {matches.pictures:,} pictures ({indexed.parts:,} of {indexed.of:,} files read now), "
                f"{matches.damaged:,} damaged, {matches.without_caption:,} without a caption"
            )
            yield from (f"{name}: {error}" for error in indexed.errors[:_SHOWN])
        failed = next((reason for _, reason in self.outcome.failed), "")
        line = f"{data_sweep(spec)}: {self.outcome.labelled:,} labelled now"
        if self.outcome.failed_labels:
            line += f", {self.outcome.failed_labels:,} failed ({failed}); the same command tries them again"
        yield f"{line}; see `fairsweep measure --metric data_match` and `fairsweep measure --sweep {data_sweep(spec)}`"


def check(spec: SweepSpec) -> None:
    """Refuse what can be known to fail before anything is read: no sources, no encoder, columns that are not there."""
    if not spec.data:
        raise FairsweepError(f"{spec.name}: the spec names no training data: add sources under `data`")
    for data in spec.data:
        _encoder(spec, data)
        open_data(data).parts()


def audit_data(spec: SweepSpec, store: Store, console: Console) -> Report:
    """Index, match and label; the caller has checked, holds the store's lock and has joined a cluster.

    The same call resumes: what is indexed, and labelled, is not read again.
    """
    report, matched = Report(), []
    queries = _read(spec, store, console, report.indexed)
    for data in spec.data:
        encoder = _encoder(spec, data)
        report.matches[data.name] = match(spec, data, store, queries[encoder.name] if encoder else None)
        matched.append((data, report.matches[data.name]))
    plan = write_sweep(spec, matched, store)
    labelling = LabelSpec(attributes=spec.attributes, classifiers=spec.classifiers, run=spec.run)
    report.outcome = label(labelling, store, plan, console)
    _write_references(spec, store)
    write_catalogue(store)
    return report


def _read(spec: SweepSpec, store: Store, console: Console, indexed: dict[str, Indexed]) -> dict[str, np.ndarray]:
    """Index every source and return the prompts' unit vectors by each encoder that one needs, [prompts, dimensions].

    One crew does both, of all sources: an actor that has its encoder stays.
    """
    queries, tasks = _queries(spec), list[AuditTask]()
    for data in spec.data:
        encoder = _encoder(spec, data)
        embedder = encoder if encoder and not open_data(data).ready else None
        indexed[data.name], missing = unread(data, embedder, store)
        tasks += missing
    vectors: dict[str, np.ndarray] = {}
    for event in reports([*queries, *tasks], spec.run, store, console, "encoders and files"):
        match event:
            case EmbedReport(name, (own,)):
                vectors[name] = unit(own.of(queries[0].texts)).astype(np.float32)
            case IndexReport(source):
                indexed[source].add(event)
            case GivenUp(EmbedTask() as task, why):
                raise task.given_up(why)
            case GivenUp(IndexTask() as task, why):
                indexed[task.data.name].errors.append(f"{task.part.name}: {why}")
    return vectors


def _queries(spec: SweepSpec) -> Sequence[EmbedTask]:
    encoders = {encoder.name: encoder for data in spec.data if (encoder := _encoder(spec, data))}
    texts = tuple(prompt.text for prompt in spec.prompts.expand())
    return [EmbedTask(encoder, spec, texts) for encoder in encoders.values()]


def _encoder(spec: SweepSpec, data: DataSpec) -> EncoderSpec | None:
    """Return who embeds a source's pictures and the prompts; None where captions alone are asked for."""
    if data.match == "captions":
        return None
    encoders: Mapping[str, EncoderSpec] = {e.name: e for e in encoders_of(spec) if e.kind == "open_clip"}
    if data.encoder is None and encoders:
        return next(iter(encoders.values()))
    if data.encoder is None or data.encoder not in encoders:
        known = near(data.encoder, encoders) if encoders else ": the spec has no open_clip encoder or classifier"
        raise FairsweepError(f"data {data.name}: no encoder {data.encoder or ''}{known}; or give `match: captions`")
    return encoders[data.encoder]


def _write_references(spec: SweepSpec, store: Store) -> None:
    """Make the shares of each source and matching a reference that sweeps can name, such as laion.captions."""
    query = """
        select model || '.' || setting, prompt_name, attribute, "group", share, n from share
        where sweep = ? and attribute = ? and classifier = ? and share is not null"""
    rows: list[tuple] = []
    with connect(store) as connection:
        for attribute in spec.attributes:
            rows += connection.execute(query, [data_sweep(spec), attribute, lead(spec, attribute)]).fetchall()
    references: dict[str, list[dict]] = {}
    for reference, prompt_name, attribute, group, share, n in rows:
        row = {"reference": reference, "prompt_name": prompt_name, "attribute": attribute, "group": group}
        references.setdefault(reference, []).append(row | {"share": share, "n": n, "model": None})
    for reference, own in references.items():
        store.write("references", reference, own)

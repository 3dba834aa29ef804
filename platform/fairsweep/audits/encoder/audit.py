"""Audit encoders: run the tests, compare every prompt with every group, and write both into the store."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from fairsweep.audits.encoder.encoders import Encoder, encoders_of, load
from fairsweep.audits.encoder.stimuli import Stimuli, StimulusSets, checked, literature
from fairsweep.audits.encoder.weat import associate, unit
from fairsweep.classifiers.templates import fill
from fairsweep.errors import FairsweepError, near
from fairsweep.measure.catalogue import write_catalogue
from fairsweep.spec import SweepSpec
from fairsweep.spec.encoder import AssociationTestSpec, EncoderAuditSpec
from fairsweep.store import Store

# The encoder of tests whose sets are vectors already.
READY = "embeddings"


@dataclass
class Report:
    """What an audit wrote, and the tests that an encoder could not take."""

    encoders: list[str] = field(default_factory=list)
    tests: int = 0
    similarities: int = 0
    left_out: list[str] = field(default_factory=list)


def audit_encoders(spec: SweepSpec, store: Store, device: str = "cpu") -> Report:
    """Write the tests and the similarities of a spec's encoders, in place of what an earlier audit wrote.

    Everything is read and computed before anything is written; the caller holds the store's lock.
    """
    asked = spec.encoder or EncoderAuditSpec()
    sets, tests = StimulusSets(asked.stimuli, store), _tests(asked)
    used = {test.name: [sets[name] for name in (test.x, test.y, test.a, test.b)] for test in tests}
    ready = [test for test in tests if all(each.vectors is not None for each in used[test.name])]
    groups = _groups(spec, asked, sets)
    report = Report()
    results = [_test(spec, asked, test, used[test.name], None) for test in ready]
    similarities: list[dict] = []
    for encoder in (each for item in encoders_of(spec) for each in load(item, spec, device)):
        report.encoders.append(encoder.name)
        for test in tests:
            if test in ready:
                continue
            if not all(each.fits(encoder) for each in used[test.name]):
                report.left_out.append(f"{encoder.name}: {test.name} has images, and this encoder takes texts alone")
                continue
            results.append(_test(spec, asked, test, used[test.name], encoder))
        similarities += _similarities(spec, encoder, groups)
    store.write("encoder_tests", spec.name, results)
    store.write("encoder_similarities", spec.name, similarities)
    write_catalogue(store)
    report.tests, report.similarities = len(results), len(similarities)
    return report


def _tests(asked: EncoderAuditSpec) -> list[AssociationTestSpec]:
    shipped = literature()[1]
    tests: list[AssociationTestSpec] = []
    for test in asked.tests:
        if isinstance(test, str):
            if test not in shipped:
                raise FairsweepError(f"encoder: no test {test!r} ships{near(test, shipped)}")
            test = shipped[test]
        if test.name in {other.name for other in tests}:
            raise FairsweepError(f"encoder: the test {test.name!r} is given twice")
        tests.append(test)
    return tests


def _test(
    spec: SweepSpec, asked: EncoderAuditSpec, test: AssociationTestSpec, sets: list[Stimuli], encoder: Encoder | None
) -> dict:
    x, y, a, b = (each.embed(encoder) for each in sets)
    widths = {vectors.shape[1] for vectors in (x, y, a, b)}
    if len(widths) > 1:
        parts = ", ".join(f"{each.name} {each.embed(encoder).shape[1]}" for each in sets)
        raise FairsweepError(f"test {test.name}: the embeddings differ in width: {parts}")
    return {
        "sweep": spec.name,
        "encoder": encoder.name if encoder else READY,
        "test": test.name,
        "form": _form(sets),
        **{key: getattr(test, key) for key in "xyab"},
        **{f"n_{key}": len(vectors) for key, vectors in zip("xyab", (x, y, a, b), strict=True)},
        **asdict(associate(x, y, a, b, asked.seed)),
        "seed": asked.seed,
        "source": test.source,
    }


def _form(sets: list[Stimuli]) -> str:
    kinds = {"text" if each.words else "image" if each.pictures else "embedding" for each in sets}
    return kinds.pop() if len(kinds) == 1 else "mixed"


@dataclass(frozen=True)
class _Group:
    """One declared group: the texts that stand for it, and its sets of images or vectors."""

    attribute: str
    name: str
    position: int
    texts: dict[str, list[str]]
    sets: list[Stimuli]


def _groups(spec: SweepSpec, asked: EncoderAuditSpec, sets: StimulusSets) -> list[_Group]:
    groups = []
    for attribute, declared in spec.attributes.items():
        given = asked.groups.get(attribute, {})
        for position, (group, item) in enumerate(declared.groups.items()):
            own = [sets[name] for name in given.get(group, ())]
            words = [word for each in own for word in each.words or ()] or [item.text]
            texts = {template: [fill(template, word) for word in words] for template in asked.templates}
            groups.append(_Group(attribute, group, position, texts, [each for each in own if each.words is None]))
    return groups


def _similarities(spec: SweepSpec, encoder: Encoder, groups: list[_Group]) -> Iterator[dict]:
    """Yield the cosine of each prompt with each group: a row per template, and a row per image."""
    prompts = spec.prompts.expand()
    vectors = checked("of the prompts", encoder.texts([prompt.text for prompt in prompts]))
    for group in groups:
        targets = [("text", template, encoder.texts(texts)) for template, texts in group.texts.items()]
        for each in group.sets:
            if each.fits(encoder):
                embedded = each.embed(encoder)
                pairs = zip(each.names, embedded, strict=True)
                targets += [("image", f"{each.name}/{name}", vector[None]) for name, vector in pairs]
        for stimuli, stimulus, target in targets:
            if target.shape[1] != vectors.shape[1]:
                raise FairsweepError(
                    f"stimuli {stimulus} have {target.shape[1]} dimensions, encoder {encoder.name} {vectors.shape[1]}"
                )
            cosines = unit(vectors) @ unit(target).T
            for prompt, cosine in zip(prompts, cosines.mean(axis=1), strict=True):
                yield {
                    "sweep": spec.name,
                    "encoder": encoder.name,
                    "prompt": prompt.text,
                    "prompt_name": prompt.name,
                    "attribute": group.attribute,
                    "group": group.name,
                    "position": group.position,
                    "stimuli": stimuli,
                    "stimulus": stimulus,
                    "similarity": float(cosine),
                }

"""Audit encoders: run the tests, compare every prompt with every group, and write both into the store."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

from fairsweep.audits.encoder.embed import Embeddings, EmbedTask
from fairsweep.audits.encoder.encoders import encoders_of
from fairsweep.audits.encoder.pictures import group_pictures
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


class EncoderAudit:
    """An audit of a spec's encoders; what it needs of files and of the store is read and checked when it is made."""

    def __init__(self, spec: SweepSpec, store: Store):
        self._spec, self._store, self._asked = spec, store, spec.encoder or EncoderAuditSpec()
        sets, tests = StimulusSets(self._asked.stimuli, store), _tests(self._asked)
        self._sets = {test: [sets[name] for name in (test.x, test.y, test.a, test.b)] for test in tests}
        self._groups = _groups(spec, self._asked, sets, store)
        # They need no encoder.
        self._ready = [test for test in tests if all(each.vectors is not None for each in self._sets[test])]
        self._results = [self._test(test, None) for test in self._ready]

    def tasks(self) -> list[EmbedTask]:
        """Return what is to be embedded, a task an item of the spec's encoders."""
        sets = [each for test in self._sets if test not in self._ready for each in self._sets[test]]
        sets += [each for group in self._groups for each in group.sets]
        texts = [prompt.text for prompt in self._spec.prompts.expand()]
        texts += [text for group in self._groups for own in group.texts.values() for text in own]
        texts += [word for each in sets for word in each.words or ()]
        pictures = {each.name: each.pictures for each in sets if each.pictures is not None}
        return [EmbedTask(item, self._spec, tuple(dict.fromkeys(texts)), pictures) for item in encoders_of(self._spec)]

    def write(self, embeddings: Iterable[Embeddings]) -> Report:
        """Write the tests and the similarities, in place of what an earlier audit wrote; who calls holds the lock.

        Everything is computed before anything is written.
        """
        report, results = Report(), list(self._results)
        similarities: list[dict] = []
        for encoder in embeddings:
            report.encoders.append(encoder.name)
            for test, sets in self._sets.items():
                if test in self._ready:
                    continue
                if all(each.fits(encoder) for each in sets):
                    results.append(self._test(test, encoder))
                else:
                    left_out = f"{encoder.name}: {test.name} has images, and this encoder takes texts alone"
                    report.left_out.append(left_out)
            similarities += _similarities(self._spec, encoder, self._groups)
        self._store.write("encoder_tests", self._spec.name, results)
        self._store.write("encoder_similarities", self._spec.name, similarities)
        write_catalogue(self._store)
        report.tests, report.similarities = len(results), len(similarities)
        return report

    def _test(self, test: AssociationTestSpec, encoder: Embeddings | None) -> dict:
        sets = self._sets[test]
        x, y, a, b = (each.embed(encoder) for each in sets)
        widths = {vectors.shape[1] for vectors in (x, y, a, b)}
        if len(widths) > 1:
            parts = ", ".join(f"{each.name} {each.embed(encoder).shape[1]}" for each in sets)
            raise FairsweepError(f"test {test.name}: the embeddings differ in width: {parts}")
        return {
            "sweep": self._spec.name,
            "encoder": encoder.name if encoder else READY,
            "test": test.name,
            "form": _form(sets),
            **{key: getattr(test, key) for key in "xyab"},
            **{f"n_{key}": len(vectors) for key, vectors in zip("xyab", (x, y, a, b), strict=True)},
            **asdict(associate(x, y, a, b, self._asked.seed)),
            "seed": self._asked.seed,
            "source": test.source,
        }


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


def _groups(spec: SweepSpec, asked: EncoderAuditSpec, sets: StimulusSets, store: Store) -> list[_Group]:
    groups, shown = [], group_pictures(spec, store)
    for attribute, declared in spec.attributes.items():
        given = asked.groups.get(attribute, {})
        for position, (group, item) in enumerate(declared.groups.items()):
            own = [sets[name] for name in given[group]] if given else shown.get((attribute, group), [])
            words = [word for each in own for word in each.words or ()] or [item.text]
            texts = {template: [fill(template, word) for word in words] for template in asked.templates}
            groups.append(_Group(attribute, group, position, texts, [each for each in own if each.words is None]))
    return groups


def _similarities(spec: SweepSpec, encoder: Embeddings, groups: list[_Group]) -> Iterator[dict]:
    """Yield the cosine of each prompt with each group: a row per template, and a row per image."""
    prompts = spec.prompts.expand()
    vectors = checked("of the prompts", encoder.of([prompt.text for prompt in prompts]))
    for group in groups:
        targets = [("text", template, encoder.of(texts)) for template, texts in group.texts.items()]
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

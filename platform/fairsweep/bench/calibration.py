"""Show how far calibrated guidance misses its targets on the built-in model, beside plain quotas and chance alone."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from fairsweep.classifiers.base import Label
from fairsweep.classifiers.portraits import Portraits
from fairsweep.engine.cluster import connected
from fairsweep.engine.run import Run
from fairsweep.errors import FairsweepError, near
from fairsweep.measure.catalogue import connect
from fairsweep.portraits.defaults import CONCEPTS, FAIR, GUIDANCE_SCALE, PROMPT
from fairsweep.portraits.world import OCCUPATIONS
from fairsweep.spec import SweepSpec
from fairsweep.store import Store

# How often a woman is read as a man, and a man as a woman.
ERRORS = {"female": 0.10, "male": 0.03}
_CALIBRATION_IMAGES = 2000
_TOLERANCE = 0.03


@dataclass(frozen=True)
class Case:
    """One target, and the edit scales that the calibration may take; plain quotas are judged at the first of them."""

    name: str
    attribute: str
    target: tuple[float, ...]
    scales: tuple[float, ...]
    errs: bool = False


_GENDER, _TONE = (1.5, 2.0, 3.0), (1.0, 2.0, 4.0)
CASES = {
    case.name: case
    for case in (
        Case("half", "gender", (1 / 2, 1 / 2), _GENDER),
        Case("quarter", "gender", (1 / 4, 3 / 4), _GENDER),
        Case("thirds", "skin_tone", (1 / 3, 1 / 3, 1 / 3), _TONE),
        Case("most", "skin_tone", (0.6, 0.3, 0.1), _TONE),
        Case("half-misread", "gender", (1 / 2, 1 / 2), _GENDER, errs=True),
        Case("quarter-misread", "gender", (1 / 4, 3 / 4), _GENDER, errs=True),
    )
}


class Misreading(Portraits):
    """Read as the built-in classifier does, but ten women in a hundred as men, and three men in a hundred as women."""

    def _classify(self, images, prompts):
        return [
            [misread(label, image.tobytes()) for label in labels]
            for image, labels in zip(images, super()._classify(images, prompts), strict=True)
        ]


def misread(label: Label, pixels: bytes) -> Label:
    """Return the other gender where the picture itself, as good as chance, says so: the same every time."""
    chance = int.from_bytes(hashlib.blake2b(pixels, digest_size=8).digest()) / 2**64
    if label.attribute != "gender" or chance >= ERRORS.get(label.label, 0):
        return label
    (other,) = ERRORS.keys() - {label.label}
    return replace(label, label=other)


def run(
    names: Sequence[str] = (), seeds: int = 250, pilot: int = 32, steps: int = 5, results: Path | None = None
) -> str:
    """Return a table in Markdown, a row per case: mean distances from the target over the 14 occupations, in points.

    plain: what the target's own quota shows at the gentlest scale, by the pilot's images. chance: what independent
    draws from the target itself would miss. names: silent, all cases. pilot: images steered to each group, at each
    scale tried. results: a store to keep the images in, and to go on from.
    """
    for name in names:
        if name not in CASES:
            raise FairsweepError(f"no case {name!r}{near(name, CASES)}")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(results or folder)
        lines = [
            "| target | plain quotas | calibrated | worst | chance | prompts | pilots + images |",
            "|---|--:|--:|--:|--:|---|--:|",
        ]
        for name in names or CASES:
            lines.append(_measured(CASES[name], store, seeds, pilot, steps))
    return "\n".join(lines)


def _measured(case: Case, store: Store, seeds: int, pilot: int, steps: int) -> str:
    if case.errs:
        _calibrate(store)
    spec = sweep(case, seeds, pilot, steps)
    with store.lock(), connected(None, spec.run):
        outcome = Run(spec, store, Console(stderr=True)).execute()
    if not outcome.complete:
        raise FairsweepError(f"{case.name}: {outcome.stopped or f'{outcome.failed_images} images failed'}")
    return _line(case, store)


def sweep(case: Case, seeds: int, pilot: int, steps: int) -> SweepSpec:
    """Return the sweep of a case: every occupation, calibrated."""
    groups = CONCEPTS[case.attribute]
    fair = {**FAIR, "method": "fair", "cooldown_steps": FAIR["cooldown_steps"] * steps // 20}
    calibrate = {"pilot": pilot, "tolerance": _TOLERANCE, "scales": list(case.scales)}
    readers = [{"name": "portraits", "kind": "portraits"}]
    if case.errs:
        readers.insert(0, {"name": "misreading", "kind": f"{__name__}:{Misreading.__name__}"})
    return SweepSpec.model_validate(
        {
            "name": case.name,
            "models": [
                {
                    "source": "builtin:portraits",
                    "steps": steps,
                    "guidance_scale": GUIDANCE_SCALE,
                    "width": 64,
                    "height": 64,
                }
            ],
            "prompts": {"template": PROMPT.replace("a {", "a(n) {"), "variables": {"occupation": list(OCCUPATIONS)}},
            "attributes": {
                case.attribute: {"groups": groups, "target": dict(zip(groups, case.target, strict=True))},
            },
            "guidance": [
                {**fair, "name": "calibrated", "calibrate": calibrate},
            ],
            "classifiers": readers,
            "seeds": seeds,
            "run": {"batch_size": 32, "cpus_per_actor": 1},
        }
    )


def _calibrate(store: Store) -> None:
    """Measure, with the command that everybody has, how the classifier errs that misreads on purpose."""
    with connect(store) as connection:
        if connection.execute("from calibration_counts where classifier = 'misreading' limit 1").fetchone():
            return
    words = ["calibrate", "--classifier", f"{__name__}:{Misreading.__name__}", "--name", "misreading"]
    words += ["--groups", "gender=female,male", "--images", str(_CALIBRATION_IMAGES), "--store", str(store.root)]
    subprocess.run([sys.executable, "-m", "fairsweep.cli", *words], check=True, stdout=subprocess.DEVNULL)


# Of what is read right; a distance is the total variation, which of two groups is the share's miss.
_DISTANCES = """
with prompts as (
    select
        prompt, sum(abs(share - target)) / 2 as distance,
        expected_total_variation(list(target order by position), any_value(n)) as chance
    from share where sweep = $sweep and attribute = $attribute and classifier = 'portraits' group by prompt
)
select 100 * avg(distance), 100 * max(distance), 100 * avg(chance) from prompts
"""
_PLAIN = """
with shown as (
    select prompt, direction[$attribute] as steered_to, label, count(*) as n
    from plan_rows join labels using (image_id)
    where sweep = $sweep and pilot and scales[$attribute] = $scale and attribute = $attribute
    and classifier = 'portraits' group by all
),
shares as (
    select prompt, steered_to, label, n / sum(n) over (partition by prompt, steered_to) as share from shown
),
outcomes as (
    select prompt, label, sum(share * target) as outcome
    from shares join targets on sweep = $sweep and targets.attribute = $attribute and targets.group = steered_to
    group by prompt, label
),
distances as (
    select prompt, sum(abs(coalesce(outcome, 0) - target)) / 2 as distance
    from (select distinct prompt from outcomes)
    cross join (select "group" as label, target from targets where sweep = $sweep and attribute = $attribute)
    left join outcomes using (prompt, label) group by prompt
)
select 100 * avg(distance) from distances
"""
_TAKEN = "select scale, count(*) from calibrated where sweep = $sweep and classifier = 'portraits' group by scale"
_IMAGES = "select count(*) filter (pilot), count(*) filter (not pilot) from plan_rows where sweep = $sweep"


def _line(case: Case, store: Store) -> str:
    sweep = {"sweep": case.name}
    read = sweep | {"attribute": case.attribute}
    with connect(store) as connection:
        ((calibrated, worst, chance),) = connection.execute(_DISTANCES, read).fetchall()
        ((plain,),) = connection.execute(_PLAIN, read | {"scale": case.scales[0]}).fetchall()
        taken = sorted(connection.execute(_TAKEN, sweep).fetchall())
        ((pilots, images),) = connection.execute(_IMAGES, sweep).fetchall()
    shares = " : ".join(f"{share:.2g}" for share in case.target)
    cells = [
        f"{case.attribute} {shares}" + (", misread" if case.errs else ""),
        f"{plain:.1f} at {case.scales[0]:g}",
        *(f"{distance:.1f}" for distance in (calibrated, worst, chance)),
        ", ".join(f"{count} at {scale:g}" for scale, count in taken),
        f"{pilots:,} + {images:,}",
    ]
    return f"| {' | '.join(cells)} |"

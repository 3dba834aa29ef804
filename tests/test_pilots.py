"""Calibrated settings: which pilots are planned, what they decide, and what the images after them show."""

import json
from collections import Counter
from io import StringIO

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from fairsweep.engine.outcome import Outcome
from fairsweep.errors import SpecError
from fairsweep.measure.catalogue import connect
from fairsweep.plan import decisions
from fairsweep.plan.decide import decide
from fairsweep.plan.declared import undecidable
from fairsweep.plan.plan import write_plan
from fairsweep.plan.rounds import Rounds
from fairsweep.spec import SweepSpec, load_spec
from fairsweep.spec.plugins import FIRST_PILOT_SEED
from fairsweep.store import Store
from fairsweep.terminal import findings, preview

GROUPS = {
    "gender": {"groups": {"female": "female person", "male": "male person"}},
    "tone": {"groups": {"light": "light person", "medium": "medium person", "dark": "dark person"}},
}


@pytest.fixture
def data(tiny_data) -> dict:
    """Return a sweep of one calibrated setting beside the unguided one."""
    fair = {"method": "fair", "warmup_steps": 0, "calibrate": {"pilot": 32, "tolerance": 0.05, "scales": [1, 2, 4]}}
    return tiny_data | {
        "prompts": ["nurse", "doctor"],
        "attributes": {"gender": GROUPS["gender"]},
        "guidance": [{"method": "none"}, fair],
        "seeds": 40,
    }


def test_seeds_of_pilots_are_refused_as_those_of_images(data):
    with pytest.raises(ValueError, match=f"seeds from {FIRST_PILOT_SEED} on are those of pilots"):
        SweepSpec.model_validate(data | {"seeds": [0, FIRST_PILOT_SEED]})
    plain = data | {"guidance": [{"method": "none"}]}
    assert SweepSpec.model_validate(plain | {"seeds": [FIRST_PILOT_SEED]}).seeds == (FIRST_PILOT_SEED,)


class World:
    """A store whose images are labels alone, of a model that leans and follows its directions by their scale."""

    def __init__(self, root, leaning: dict[str, float], blind: tuple[str, ...] = (), even: tuple[str, ...] = ()):
        self.store, self.leaning, self.blind, self.even = Store(root), leaning, blind, even
        # Prompts, or prompts and groups steered to, whose images fail.
        self.failing: set = set()
        self.labelled: set[str] = set()

    def shown(self, row: dict, attribute: str, groups: list[str]) -> str:
        """Draw the group of an image: the leaning is the log odds of the first group, a scale adds twice itself."""
        if row["prompt"] in self.blind:
            return "no_face"
        logits = np.zeros(len(groups))
        logits[0] = 0.0 if attribute in self.even else self.leaning[row["prompt"]]
        steered = dict(row["direction"]).get(attribute)
        if steered:
            logits[groups.index(steered)] += 2 * dict(row["scales"] or {}).get(attribute, 1.0)
        chances = np.exp(logits) / np.exp(logits).sum()
        number = np.random.default_rng([row["seed"], *row["image_id"].encode(), len(attribute)]).random()
        return groups[int(np.searchsorted(np.cumsum(chances), number))]

    def run(self, spec: SweepSpec, rounds: int = 100) -> int:
        """Go on until nothing is left to decide, or so many rounds; return how many there were."""
        for done in range(rounds):
            path = write_plan(spec, self.store)
            labels = [
                {"image_id": row["image_id"], "attribute": name, "label": self.shown(row, name, list(declared.groups))}
                for row in pq.read_table(path).to_pylist()
                if row["image_id"] not in self.labelled
                and not self.failing & {row["prompt"], (row["prompt"], dict(row["direction"]).get("gender"))}
                for name, declared in spec.attributes.items()
            ]
            self.labelled |= {label["image_id"] for label in labels}
            if labels:
                self.store.write_labels("pixels", labels)
            decided, _ = decide(spec, self.store)
            if not decided:
                return done
        return rounds

    def rows(self, spec: SweepSpec) -> list[dict]:
        return pq.read_table(write_plan(spec, self.store)).to_pylist()

    def decided(self, spec: SweepSpec) -> dict[tuple, decisions.Decision]:
        return {(d.prompt, d.attribute, d.round): d for d in decisions.read(self.store, spec.name)}


def test_a_pilot_comes_first_and_its_quota_is_dealt(tmp_path, data):
    """A doctor leans to men by 3: scale 1 shows too few women, a stronger one with its quota shows a half."""
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 0.0, "doctor": -3.0})
    first = world.rows(spec)
    assert Counter((row["setting"], row["pilot"]) for row in first) == {("none", False): 80, ("fair", True): 128}
    assert {row["seed"] for row in first if row["pilot"]} == set(range(FIRST_PILOT_SEED, FIRST_PILOT_SEED + 64))
    assert world.run(spec) >= 2
    made = world.decided(spec)
    assert made["doctor", "gender", 0].value == "stronger"
    doctor = max((d for (prompt, *_), d in made.items() if prompt == "doctor"), key=lambda d: d.round)
    assert doctor.value == "reached" and doctor.evidence["scale"] > 1 and doctor.evidence["quota"][0] >= 0.5
    rows = [row for row in world.rows(spec) if row["setting"] == "fair" and row["prompt"] == "doctor"]
    result = [row for row in rows if not row["pilot"]]
    dealt = Counter(dict(row["direction"])["gender"] for row in result)
    assert dealt["female"] == pytest.approx(40 * doctor.evidence["quota"][0], abs=1)
    assert {tuple(row["scales"]) for row in result} == {(("gender", doctor.evidence["scale"]),)}
    assert [row["seed"] for row in result] == list(range(40))


def test_later_rounds_only_add_to_the_plan(tmp_path, data):
    """Rows of an earlier round stay where they were, and a run that goes on decides nothing anew."""
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 0.5, "doctor": -3.0})
    before: list[str] = []
    for _ in range(6):
        rows = [row["image_id"] for row in world.rows(spec)]
        assert rows[: len(before)] == before
        before = rows
        world.run(spec, rounds=1)
    made = decisions.read(world.store, spec.name)
    assert world.run(spec) == 0
    assert decisions.read(world.store, spec.name) == made
    # Another store that is run in one go comes to the same.
    other = World(tmp_path / "other", world.leaning)
    other.run(spec)
    assert other.decided(spec) == world.decided(spec)


def test_pilots_are_in_no_metric(tmp_path, data):
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 0.0, "doctor": -3.0})
    world.run(spec)
    with connect(world.store) as connection:
        seeds = connection.execute("select max(seed), count(*) from plan").fetchone()
        images = connection.execute("select distinct setting, images from share").fetchall()
        pilots_made = connection.execute("select count(*) from plan_rows where pilot").fetchone()[0]
    assert seeds == (39, 160) and sorted(images) == [("fair", 40), ("none", 40)] and pilots_made >= 192


def test_the_result_has_a_verdict_of_its_own_images(tmp_path, data):
    """Off a half by more than the tolerance for sure, within it for sure, or neither, by the images after the pilot."""
    spec = SweepSpec.model_validate(data | {"seeds": 1500})
    world = World(tmp_path, {"nurse": 60.0, "doctor": -1.0})
    world.run(spec)
    query = "select prompt, decided, verdict, n, quota, nearest, farthest from calibrated order by prompt"
    with connect(world.store) as connection:
        doctor, nurse = connection.execute(query).fetchall()
    assert doctor[:4] == ("doctor", "reached", "on target", 1500) and doctor[6] <= 0.05
    assert nurse[:4] == ("nurse", "not reachable", "not reachable", 1500)
    assert nurse[4] == [0.5, 0.5] and nurse[5] > 0.4


def test_each_attribute_has_its_quota_and_its_scale(tmp_path, data):
    spec = SweepSpec.model_validate(data | {"attributes": GROUPS, "prompts": ["doctor"]})
    world = World(tmp_path, {"doctor": -2.0})
    world.run(spec)
    last = {}
    for (_, attribute, _), decision in sorted(world.decided(spec).items()):
        last[attribute] = decision
    assert set(last) == {"gender", "tone"} and all(d.value != "stronger" for d in last.values())
    assert len(last["tone"].evidence["quota"]) == 3 and sum(last["tone"].evidence["quota"]) == pytest.approx(1)
    result = [row for row in world.rows(spec) if row["setting"] == "fair" and not row["pilot"]]
    assert {tuple(row["scales"]) for row in result} == {
        tuple((name, last[name].evidence["scale"]) for name in ("gender", "tone"))
    }


def test_without_a_ladder_the_setting_keeps_its_scale(tmp_path, data):
    data["guidance"] = [{"method": "fair", "scale": 3, "warmup_steps": 0, "calibrate": {"pilot": 16}}]
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 0.0, "doctor": -0.5})
    world.run(spec)
    rows = world.rows(spec)
    assert {row["scales"] for row in rows} == {None} and {row["scale"] for row in rows} == {3.0}
    assert all(d.evidence["scale"] is None for d in world.decided(spec).values())


def test_a_group_that_is_never_drawn_and_a_prompt_without_a_face_have_their_verdicts(tmp_path, data):
    """Nurses are women whatever the direction, and no doctor has a face: both are said, and the images still come."""
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 60.0, "doctor": 0.0}, blind=("doctor",))
    world.run(spec)
    made = world.decided(spec)
    nurse = max((d for (prompt, *_), d in made.items() if prompt == "nurse"), key=lambda d: d.round)
    assert (nurse.value, nurse.round) == ("not reachable", 2)
    assert nurse.evidence["miss"] == 0.5 and nurse.evidence["quota"] == [0.5, 0.5]
    doctor = made["doctor", "gender", 0]
    assert doctor.value == "unreadable" and doctor.evidence["quota"] == [0.5, 0.5]
    with connect(world.store) as connection:
        verdicts = connection.execute("select prompt, verdict, outcome from calibrated order by prompt").fetchall()
        (why,) = connection.execute("select why from decided where prompt = 'nurse'").fetchone()
    assert verdicts == [("doctor", "unreadable", None), ("nurse", "not reachable", [1.0, 0.0])]
    # What is nearest is said, by the run too, and the next one does not look again.
    screen = Console(file=StringIO(), width=300)
    findings.show(world.store, spec.name, Outcome(), None, screen)
    lines = screen.file.getvalue()
    assert "tiny / fair: the pilot of gender: not reachable on 1 prompt: nurse (at best 50 % off)" in lines
    assert "tiny / fair: the pilot of gender: unreadable on 1 prompt: doctor" in lines
    assert why == "quota 50 : 50 %, foreseen 100 : 0 %, scale 1"
    assert world.run(spec) == 0
    assert sum(not row["pilot"] for row in world.rows(spec)) == 160


@pytest.mark.parametrize("failing", ["doctor", ("doctor", "female")])
def test_a_pilot_whose_images_fail_decides_nothing_and_is_tried_again(tmp_path, data, failing):
    """All images of a prompt fail, or all that are steered to a group: the others go on, and it has no verdict."""
    spec = SweepSpec.model_validate(data)
    world = World(tmp_path, {"nurse": 0.0, "doctor": 0.0})
    world.failing = {failing}
    world.run(spec)
    assert {prompt for prompt, *_ in world.decided(spec)} == {"nurse"}
    assert {row["pilot"] for row in world.rows(spec) if row["prompt"] == "doctor" and row["setting"] == "fair"} == {
        True
    }
    query = "select prompt, decided, verdict from calibrated order by prompt"
    with connect(world.store) as connection:
        doctor, nurse = connection.execute(query).fetchall()
    assert doctor == ("doctor", None, "no pilot") and nurse[1] != "no pilot"
    world.failing = set()
    world.run(spec)
    assert ("doctor", "gender", 0) in world.decided(spec)
    with connect(world.store) as connection:
        assert "no pilot" not in {row[2] for row in connection.execute(query).fetchall()}


def test_only_biased_prompts_and_attributes_have_a_quota(tmp_path, data):
    """Nurses are women and doctors are not one-sided; skin tones are even: one quota, of gender, after two pilots."""
    data["guidance"][1] |= {"apply": "biased", "pilot": 40}
    spec = SweepSpec.model_validate(data | {"attributes": GROUPS})
    # The log odds of three tones are even where those of two genders are 4 to 1, and each prompt has one number.
    world = World(tmp_path, {"nurse": 3.0, "doctor": 0.0}, even=("tone",))
    first = world.rows(spec)
    assert Counter((row["setting"], row["pilot"], len(row["direction"])) for row in first) == {
        ("none", False, 0): 80,
        ("fair", True, 0): 80,
    }
    world.run(spec)
    made = [d for d in decisions.read(world.store, spec.name) if d.kind == "quota"]
    assert made and {(d.prompt, d.attribute) for d in made} == {("nurse", "gender")}
    own = [row for row in world.rows(spec) if row["setting"] == "fair"]
    looks = {(row["prompt"], len(row["direction"]), row["seed"]) for row in own if row["pilot"]}
    # Nothing is steered but nurses' gender, and no seed decides twice.
    assert {(prompt, directed) for prompt, directed, _ in looks} == {("nurse", 0), ("nurse", 1), ("doctor", 0)}
    steered = {seed for _, directed, seed in looks if directed}
    assert len(steered) == 96 and steered.isdisjoint({seed for _, directed, seed in looks if not directed})
    result = [row for row in own if not row["pilot"]]
    dealt = Counter((row["prompt"], tuple(dict(row["direction"]))) for row in result)
    assert dealt == {("nurse", ("gender",)): 40, ("doctor", ()): 40}
    last = max(made, key=lambda d: d.round)
    women = sum(dict(row["direction"]).get("gender") == "female" for row in result)
    assert women == pytest.approx(40 * last.evidence["quota"][0], abs=1)
    assert {tuple(row["scales"] or ()) for row in result} == {(("gender", last.evidence["scale"]),), ()}
    assert world.run(spec) == 0


def test_the_most_that_may_be_made_counts_every_rung(tmp_path, data):
    spec = SweepSpec.model_validate(data)
    path = write_plan(spec, Store(tmp_path), Rounds(spec, whole=True))
    counts = Counter((row["setting"], row["pilot"]) for row in pq.read_table(path).to_pylist())
    assert counts == {("none", False): 80, ("fair", True): 3 * 128, ("fair", False): 80}


def test_pilots_count_among_the_images_that_may_be_planned(data, write_spec):
    """Two prompts: 2 x 40 images of each of two settings, and 3 rungs of 64 and an unguided pilot of 32."""
    data["guidance"][1]["apply"] = "biased"
    path = write_spec(data)
    assert load_spec(path, most_images=608).seeds
    line = r"guidance: this plans 608 images, pilots and all \(224 a prompt\), more than 607: --most-images lifts"
    with pytest.raises(SpecError, match=line):
        load_spec(path, most_images=607)


def test_plan_names_what_no_round_can_decide(data, tmp_path):
    """The built-in classifier leads and knows two genders; a third group is only the other one's."""
    third = {"gender": {"groups": GROUPS["gender"]["groups"] | {"other": "nonbinary person"}}}
    readers = [{"kind": "portraits"}, *data["classifiers"]]
    spec = SweepSpec.model_validate(data | {"attributes": third, "classifiers": readers})
    screen = Console(file=StringIO(), width=300)
    preview.show_plan(spec, Store(tmp_path), screen)
    assert "no round decides gender: portraits, whose labels stand for it, cannot tell other" in screen.file.getvalue()
    fixed = data | {"attributes": third, "classifiers": readers, "guidance": [{"method": "none"}]}
    assert undecidable(SweepSpec.model_validate(fixed)) == []
    assert undecidable(SweepSpec.model_validate(data)) == []


def test_a_calibration_of_the_classifier_is_taken_out(tmp_path, data):
    """The same pilot's labels, the classifier known to call every tenth woman a man: fewer directions go to women."""
    spec = SweepSpec.model_validate(data | {"prompts": ["doctor"]})
    quotas = []
    for name in ("plain", "calibrated"):
        world = World(tmp_path / name, {"doctor": -1.0})
        if name == "calibrated":
            counts = {"female": (900, 100), "male": (0, 1000)}
            world.store.write(
                "calibration",
                "pixels",
                [
                    {"classifier": "pixels", "attribute": "gender", "truth": truth, "label": label, "n": n}
                    for truth, row in counts.items()
                    for label, n in zip(counts, row, strict=True)
                ],
            )
        world.run(spec)
        quotas.append(world.decided(spec)["doctor", "gender", 0].evidence["quota"][0])
    assert quotas[1] < quotas[0] - 0.02


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ({"method": "none", "calibrate": {}}, "steers no image to a group"),
        ({"method": "fair", "calibrate": {"scales": [2, 1]}}, "the gentlest first"),
        ({"method": "fair", "calibrate": {"pilots": 3}}, "did you mean 'pilot'"),
        ({"method": "attribute-prompt", "calibrate": {"scales": [1, 2]}}, "has no scale"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_in_a_line(data, write_spec, setting, line):
    with pytest.raises(SpecError, match=line):
        load_spec(write_spec(data | {"guidance": [setting]}))


def test_a_setting_without_calibrate_is_dumped_as_before(data):
    spec = SweepSpec.model_validate(data)
    none, fair = (json.loads(setting.model_dump_json()) for setting in spec.guidance)
    assert "calibrate" not in none and fair["calibrate"]["pilot"] == 32


def portraits_sweep(**calibrate) -> dict:
    """Return a sweep of the built-in model in which gender is calibrated."""
    return {
        "name": "calibrated",
        "models": [{"source": "builtin:portraits", "steps": 8, "guidance_scale": 3, "width": 64, "height": 64}],
        "prompts": {"template": "a photo of the face of a {job}", "variables": {"job": ["firefighter"]}},
        "attributes": {"gender": GROUPS["gender"]},
        "guidance": [
            {
                "method": "fair",
                "threshold": 0.8,
                "warmup_steps": 0,
                "momentum_scale": 0.3,
                "calibrate": calibrate,
            }
        ],
        "classifiers": [{"name": "portraits", "kind": "portraits"}],
        "seeds": 8,
        "run": {"batch_size": 16},
    }


def test_a_run_makes_its_pilots_and_then_what_they_decide(tmp_path, run_sweep):
    """On the built-in model: one run plans, makes and labels pilots and images; the next has nothing to do."""
    data = portraits_sweep(pilot=8, tolerance=0.1, scales=[1, 4])
    outcome = run_sweep(data, tmp_path)
    spec = SweepSpec.model_validate(data)
    made = decisions.read(Store(tmp_path), "calibrated")
    assert made and made[-1].value != "stronger" and sum(map(sum, made[0].evidence["shown"])) <= 16
    rows = pq.read_table(write_plan(spec, Store(tmp_path))).to_pylist()
    assert Counter(row["pilot"] for row in rows) == {True: 16 * len(made), False: 8}
    assert outcome.made == len(rows) and not outcome.failed
    assert run_sweep(data, tmp_path).made == 0
    with connect(Store(tmp_path)) as connection:
        assert connection.execute("select distinct images from share").fetchall() == [(8,)]


def test_what_is_decided_late_is_made_in_the_same_run(tiny_data, tmp_path, run_sweep):
    """One prompt's quota is decided already, the other's only now: its images stand between rows that were there."""
    setting = {"method": "fair", "attributes": ["gender"], "warmup_steps": 0, "calibrate": {"pilot": 4}}
    data = tiny_data | {"guidance": [setting]}
    before = run_sweep(data, tmp_path / "before")
    made = decisions.read(Store(tmp_path / "before"), "tiny")
    assert {d.prompt_name for d in made} == {"nurse", "doctor"}
    late = Store(tmp_path / "late")
    with late.lock():
        decisions.write(late, [d for d in made if d.prompt_name == "doctor"])
    outcome = run_sweep(data, tmp_path / "late")
    assert (outcome.made, outcome.there) == (before.made, 0) == (2 * 8 + 2 * 4, 0)
    assert decisions.read(late, "tiny") == made
    assert run_sweep(data, tmp_path / "late").made == 0

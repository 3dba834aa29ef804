"""The quota and the scale that a pilot's counts lead to, against exact cases, an optimiser, and simulation."""

import numpy as np
import pytest
from scipy import optimize

from fairsweep.imports import Source, bring
from fairsweep.measure.catalogue import connect
from fairsweep.plan.calibrated import OUT_OF_REACH, REACHED, UNDECIDED, Rung, solve
from fairsweep.store import Store

LADDER = (0.5, 1.0, 1.5, 2.0, 3.0)
# Truth by label: one group is misread as the other in 10 %, the other in 3 %.
ERRS = np.array([[0.9, 0.1], [0.03, 0.97]])


def exact(shares, images: int = 1_000_000) -> list[list[int]]:
    return np.round(np.asarray(shares) * images).astype(int).tolist()


def test_two_groups_are_dealt_so_that_the_outcome_is_on_target():
    """Steered to women .8 are, steered to men .1: a half takes (.5 - .1) / (.8 - .1) of directions to women."""
    found = solve((0.5, 0.5), [Rung(1.0, exact([[0.8, 0.2], [0.1, 0.9]]))], 0.03)
    assert found.quota == pytest.approx((4 / 7, 3 / 7), abs=1e-6)
    assert found.outcome == pytest.approx((0.5, 0.5), abs=1e-6)
    assert (found.scale, found.verdict) == (1.0, REACHED) and found.miss < 1e-6 and found.error < 0.001


def test_the_gentlest_scale_that_reaches_is_taken():
    rungs = [
        Rung(4.0, exact([[0.95, 0.05], [0.01, 0.99]])),
        Rung(1.0, exact([[0.3, 0.7], [0.05, 0.95]])),
        Rung(2.0, exact([[0.6, 0.4], [0.02, 0.98]])),
    ]
    assert solve((0.5, 0.5), rungs, 0.03).scale == 2.0
    assert solve((0.25, 0.75), rungs, 0.03).scale == 1.0


@pytest.mark.parametrize("groups", [2, 3, 5, 10])
def test_any_number_of_groups_agrees_with_an_optimiser(groups):
    """Ten matrices and targets of each size (numpy seed 60): no quota comes nearer, in and out of reach."""
    rng = np.random.default_rng(60)
    for _ in range(10):
        shares = 0.6 * np.eye(groups) + 0.4 * rng.dirichlet(np.ones(groups), groups)
        target = rng.dirichlet(np.full(groups, 0.7))
        found = solve(tuple(target), [Rung(1.0, exact(shares))], 0.03)
        other = optimize.minimize(
            lambda quota, shares=shares, target=target: ((quota @ shares - target) ** 2).sum(),
            np.full(groups, 1 / groups),
            method="SLSQP",
            bounds=[(0, 1)] * groups,
            constraints={"type": "eq", "fun": lambda quota: quota.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        assert sum(found.quota) == pytest.approx(1) and min(found.quota) >= 0
        assert ((np.array(found.outcome) - target) ** 2).sum() <= other.fun + 1e-6


def test_where_steering_changes_nothing_the_quota_stays_the_target():
    found = solve((0.7, 0.3), [Rung(1.0, exact([[0.7, 0.3], [0.7, 0.3]]))], 0.03)
    assert found.quota == pytest.approx((0.7, 0.3), abs=1e-3) and found.verdict == REACHED


# The dose of Fair Diffusion on "nurse" at guidance scale 7 as others found it: the share of men by edit scale.
NURSE = {0.0: 0.02, 1.0: 0.0, 2.0: 0.31, 3.0: 0.70, 5.0: 0.94, 7.0: 0.99}


def nurse(images: int) -> list[Rung]:
    """Steered to men the dose's shares are shown, steered to women those of the unguided model."""
    women = [1 - NURSE[0.0], NURSE[0.0]]
    return [Rung(scale, exact([women, [1 - men, men]], images)) for scale, men in NURSE.items() if scale]


def test_the_published_dose_of_a_nurse_is_halved_by_a_quota_at_scale_three():
    """At 2 at most 31 % are men; at 3 the quota (.5 - .02) / (.70 - .02) of directions to men shows a half."""
    found = solve((0.5, 0.5), nurse(1000), 0.03)
    assert (found.scale, found.verdict) == (3.0, REACHED)
    assert found.quota[1] == pytest.approx(0.48 / 0.68, abs=1e-6)
    assert found.outcome == pytest.approx((0.5, 0.5), abs=1e-6)
    # A quarter is in reach of the gentler scale.
    assert solve((0.75, 0.25), nurse(1000), 0.03).scale == 2.0


def test_the_published_dose_of_a_nurse_is_a_dose_response_once_imported(tmp_path):
    """Counts of 100 images a scale, the unguided at 0: distances .48, .5, .19, .2, .44 and .49 from a half."""
    lines = ["setting,prompt,group,count"]
    for scale, men in NURSE.items():
        setting = f"fair-scale{scale:g}" if scale else "none"
        lines += [f"{setting},nurse,male,{round(100 * men)}", f"{setting},nurse,female,{round(100 * (1 - men))}"]
    path = tmp_path / "nurse.csv"
    path.write_text("\n".join(lines))
    store = Store(tmp_path / "store")
    bring(store, Source(path, "nurse", groups={"gender": ("female", "male")}))
    doses = connect(store).execute("select scale, total_variation from dose_response order by scale").fetchall()
    assert doses == [(scale, pytest.approx(abs(men - 0.5))) for scale, men in NURSE.items()]


def test_a_pilot_too_small_for_a_gentle_scale_takes_a_stronger_one_that_it_can_foresee():
    """Of 32 images a share of .70 is known to 8 points, which a quota of .7 leaves at 6; one of .94 is to 2."""
    found = solve((0.5, 0.5), nurse(32), 0.03)
    assert found.scale > 3.0 and found.verdict == REACHED and found.error <= 0.03


def test_a_group_that_is_never_drawn_is_out_of_reach():
    """Given no woman at any scale, nothing reaches a half, and what is nearest is said; four images decide nothing."""
    never = [[0, 32], [0, 32]]
    found = solve((0.5, 0.5), [Rung(1.0, never), Rung(4.0, never)], 0.03)
    assert found.verdict == OUT_OF_REACH and found.outcome == (0.0, 1.0) and found.miss == 0.5
    rungs = [Rung(1.0, never), Rung(4.0, [[8, 24], [0, 32]])]
    found = solve((0.5, 0.5), rungs, 0.03)
    assert (found.verdict, found.scale) == (OUT_OF_REACH, 4.0) and found.quota == pytest.approx((1.0, 0.0))
    assert solve((0.5, 0.5), [Rung(1.0, [[1, 3], [0, 4]])], 0.03).verdict == UNDECIDED


def test_a_pilot_without_any_group_has_no_solution():
    assert solve((0.5, 0.5), [Rung(1.0, [[0, 0], [3, 5]])], 0.03) is None
    assert solve((0.5, 0.5), [Rung(1.0, [[0, 0], [3, 5]]), Rung(2.0, [[8, 0], [0, 8]])], 0.5).scale == 2.0


def test_a_classifiers_known_errors_are_taken_out():
    """Read with 10 % and 3 % errors, the quota is that of the truth, and not that of the labels."""
    true = np.array([[0.8, 0.2], [0.1, 0.9]])
    rung = Rung(1.0, exact(true @ ERRS))
    assert solve((0.5, 0.5), [rung], 0.03, exact(ERRS)).quota == pytest.approx((4 / 7, 3 / 7), abs=1e-4)
    assert abs(solve((0.5, 0.5), [rung], 0.03).quota[0] - 4 / 7) > 0.02


@pytest.mark.parametrize("confusion", [[[50, 50], [50, 50]], [[3, 1], [1, 3]], [[0, 0], [1, 9]]])
def test_a_calibration_that_tells_the_groups_not_apart_corrects_nothing(confusion):
    rungs = [Rung(1.0, [[30, 2], [3, 29]])]
    assert solve((0.5, 0.5), rungs, 0.1, confusion) == solve((0.5, 0.5), rungs, 0.1)


def test_few_images_of_a_calibration_widen_the_error():
    rungs = [Rung(1.0, exact([[0.9, 0.1], [0.1, 0.9]]))]
    errors = [solve((0.5, 0.5), rungs, 0.03, exact(ERRS, n)).error for n in (100, 10_000)]
    assert errors[0] > 5 * errors[1]


def steered(base: np.ndarray, scale: float) -> np.ndarray:
    """Return what a model shows by the group steered to: its own log odds, and 4 more by scale for that group.

    At scale 1 a direction is followed in 93 % of these occupations' images and plain quotas miss by 6 points.
    """
    logits = np.log(base) + 4 * scale * np.eye(len(base))
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def deal_and_draw(quota, shares: np.ndarray, images: int, rng) -> np.ndarray:
    """Return the shares that so many fresh images show, directions dealt by the quota."""
    exactly = np.array(quota) * images
    dealt = np.floor(exactly).astype(int)
    dealt[np.argsort(dealt - exactly)[: images - dealt.sum()]] += 1
    return sum(rng.multinomial(n, row) for n, row in zip(dealt, shares, strict=True)) / images


def occupations(groups: int) -> np.ndarray:
    """Return the unguided shares of 14 occupations, from nearly none to nearly all (numpy seed 61 for three groups)."""
    if groups == 2:
        women = np.linspace(0.05, 0.95, 14)
        return np.stack([women, 1 - women], 1)
    return 0.02 + 0.94 * np.random.default_rng(61).dirichlet(np.full(groups, 1.2), 14)


def misses(target, repeats: int, rng, errs=None, ladder=LADDER) -> dict[str, float]:
    """Return mean distances (total variation, in points): calibrated on fresh images, by chance alone, by plain quotas.

    A pilot of 32 images a direction climbs the ladder until a scale reaches. Distances are those of the true groups.
    Chance: the same draw of 250 images under the quota that the true shares would give.
    """
    target, groups = np.array(target), len(target)
    rows = []
    for base in occupations(groups):
        for _ in range(repeats):
            rungs: list[Rung] = []
            confusion = None if errs is None else [rng.multinomial(500, row) for row in errs]
            for scale in ladder:
                seen = steered(base, scale) @ (np.eye(groups) if errs is None else errs)
                rungs.append(Rung(scale, [rng.multinomial(32, row).tolist() for row in seen]))
                found = solve(tuple(target), rungs, 0.03, confusion)
                if found.verdict == REACHED:
                    break
            shares = steered(base, found.scale)
            ideal = solve(tuple(target), [Rung(found.scale, exact(shares))], 0.03)
            rows.append(
                [
                    np.abs(deal_and_draw(found.quota, shares, 250, rng) - target).sum() / 2,
                    np.abs(deal_and_draw(ideal.quota, shares, 250, rng) - ideal.outcome).sum() / 2,
                    np.abs(target @ steered(base, ladder[0]) - target).sum() / 2,
                ]
            )
    return dict(zip(("calibrated", "chance", "plain"), 100 * np.mean(rows, 0), strict=True))


@pytest.mark.parametrize("target", [(0.5, 0.5), (0.25, 0.75), (1 / 3, 1 / 3, 1 / 3), (0.6, 0.3, 0.1)])
def test_a_pilot_of_32_misses_by_at_most_three_points(target):
    """14 occupations (numpy seed 62): 3 points at most where plain quotas at the gentlest scale miss by 10 or more."""
    found = misses(target, 2, np.random.default_rng(62))
    assert found["plain"] >= 10 and found["calibrated"] <= 3


def test_a_classifier_that_errs_leaves_at_most_four_points_of_truth():
    """10 % one way and 3 % the other, known from 500 images of each group (numpy seed 63)."""
    assert misses((0.5, 0.5), 2, np.random.default_rng(63), ERRS)["calibrated"] <= 4


@pytest.mark.slow
@pytest.mark.parametrize("errs", [None, ERRS], ids=["reads right", "errs"])
@pytest.mark.parametrize("target", [(0.5, 0.5), (0.25, 0.75), (1 / 3, 1 / 3, 1 / 3), (0.6, 0.3, 0.1)])
def test_pilots_of_32_miss_by_at_most_three_points(target, errs):
    """The same 40 times over (numpy seed 64): the mean of 560 sweeps, and at least what chance alone gives."""
    if errs is not None and len(target) > 2:
        errs = 0.9 * np.eye(3) + np.array([[0, 0.1, 0], [0.03, 0, 0.07], [0.03, 0.07, 0]])
    found = misses(target, 40, np.random.default_rng(64), errs)
    assert found["chance"] <= found["calibrated"] <= (3 if errs is None else 4)


def test_images_of_the_pilot_are_no_evidence():
    """300 pilots of 32 a direction at one scale, 64 fresh images each (numpy seed 65).

    By its own pilot every sweep is on target. How far fresh images show it off goes one to one with how far it is; with
    the pilot's images among them only half of that shows.
    """
    rng = np.random.default_rng(65)
    truths, fresh, pooled = [], [], []
    for base in np.repeat(occupations(2)[3:11], 40, axis=0):
        shares = steered(base, 1.0)
        pilot = np.array([rng.multinomial(32, row) for row in shares])
        found = solve((0.5, 0.5), [Rung(1.0, pilot.tolist())], 0.03)
        quota = np.array(found.quota)
        assert quota @ (pilot / 32) == pytest.approx((0.5, 0.5), abs=1e-3)
        counts = np.array([rng.multinomial(32, row) for row in shares])
        truths.append((quota @ shares)[0] - 0.5)
        fresh.append((quota @ (counts / 32))[0] - 0.5)
        pooled.append((quota @ ((counts + pilot) / 64))[0] - 0.5)
    slopes = [np.polyfit(truths, shown, 1)[0] for shown in (fresh, pooled)]
    assert slopes[0] == pytest.approx(1, abs=0.2) and slopes[1] == pytest.approx(0.5, abs=0.15)

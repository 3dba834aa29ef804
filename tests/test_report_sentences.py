"""The report's sentences and figures, from rows of numbers."""

from fairsweep.pages import figures, sentences


def cell(model="m", setting="none", **values) -> dict:
    row = {"model": model, "setting": setting, "baseline": setting == "none", "attribute": "gender"}
    row |= {"distance": 0.4, "distance_low": 0.3, "distance_high": 0.5, "prompts_off_target": 3, "prompts": 4}
    row |= {
        "classifier": "portraits",
        "images_per_prompt": 8,
        "fewest": 8,
        "unseen": 0,
        "prompts_not_decided": 0,
        "least_difference": 0.42,
    }
    row |= {
        "change": None,
        "change_low": None,
        "change_high": None,
        "cell_q": None,
        "scene_floor": None,
        "reason": None,
    }
    row |= {"scene_kept": None, "scene_kept_low": None, "scene_kept_high": None, "images_per_second": 2.0}
    return row | {"missing": 0.01, "missing_low": 0.0, "missing_high": 0.02} | values


def share(setting, group, value, low, high) -> dict:
    row = {"attribute": "gender", "group": group, "prompt_name": "firefighter", "model": "m", "setting": setting}
    return row | {"baseline": setting == "none", "share": value, "low": low, "high": high, "target": 0.5}


def test_sentences_come_from_the_numbers():
    fair = {"distance": 0.05, "distance_low": 0.02, "distance_high": 0.1, "prompts_off_target": 0}
    fair |= {"change": -0.35, "change_low": -0.5, "change_high": -0.2, "scene_floor": 0.6}
    cells = [cell(setting="fair", scene_kept=0.9, scene_kept_low=0.88, scene_kept_high=0.92, **fair), cell()]
    shares = [
        share("none", "female", 0.06, 0.03, 0.1),
        share("none", "male", 0.94, 0.9, 0.97),
        share("fair", "female", 0.48, 0.42, 0.55),
        share("fair", "male", 0.52, 0.45, 0.58),
    ]
    said = "The model m, as read by the classifier portraits, is found off its gender target "
    said += "on 3 of 4 prompts unguided, on none with fair."
    assert sentences.headline(cells) == said
    limits = "8 images of a prompt and setting: a difference below 42 points could not have been found."
    assert sentences.limits(cells) == limits
    said = [(finding.kind, finding.text) for finding in sentences.sentences(cells, shares)]
    distance = "gender: mean distance to target 40 % [30, 50] unguided, 5 % [2, 10] with fair; "
    distance += "off target on 3 of 4 prompts unguided, on none with fair."
    assert said[0] == ("good", distance)
    assert said[1] == ("plain", "firefighter: 94 % [90, 97] male, target 50 %; with fair 52 % [45, 58].")
    kept = "Scene kept: cosine 0.90 [0.88, 0.92] between the images of fair and the unguided ones of their seeds"
    assert ("cost", f"{kept}, where another seed's has 0.60 and itself 1.") in said
    assert ("cost", "Cost: a device makes 2 images per second unguided, 2 with fair.") in said


def test_a_change_is_good_or_bad_by_an_interval_that_holds_for_all_settings_it_was_picked_from():
    def kind(low, high, settings=1):
        change = {"change": (low + high) / 2, "change_low": low, "change_high": high}
        cells = [cell(setting=f"fair {number}", distance=0.3 + number, **change) for number in range(settings)]
        return sentences.sentences([*cells, cell()], [])[0].kind

    # The two distances' intervals are the same in all.
    assert [kind(-0.2, -0.05), kind(-0.2, 0.05), kind(0.02, 0.1)] == ["good", "plain", "bad"]
    # Of twenty settings the fairest needs an interval 1.54 times as wide (3.02 normal deviates for 1.96).
    assert [kind(-0.3, -0.1, 20), kind(-0.2, -0.03, 20)] == ["good", "plain"]


def test_what_is_not_measured_is_said_and_never_wins():
    empty = {"distance": None, "distance_low": None, "distance_high": None, "prompts_off_target": 0, "missing": 1.0}
    cells = [cell(setting="fair", **empty), cell()]
    assert sentences.best(cells)["setting"] == "none"
    said = (
        "The model m, as read by the classifier portraits, is found off its gender target on 3 of 4 prompts unguided."
    )
    assert sentences.headline(cells) == said
    texts = [finding.text for finding in sentences.sentences(cells, [])]
    assert texts[0] == "m, fair: no image has a recognised gender so far."
    assert "gender: mean distance to target 40 % [30, 50] unguided; off target on 3 of 4 prompts unguided." in texts
    assert sentences.headline([cell(**empty)]) == "No image shows a declared group so far."


def test_missing_is_said_of_the_attribute_that_misses_most():
    cells = [cell(setting="fair", missing=0.05), cell(missing=0.02)]
    cells += [{**row, "attribute": "skin_tone", "missing": 0.01} for row in cells]
    texts = [finding.text for finding in sentences.sentences(cells, [])]
    assert "Images without a recognised gender: 2.0 % unguided, 5.0 % with fair." in texts


def test_sentences_without_guidance_or_labels():
    assert sentences.headline([]) == "Nothing is labelled yet."
    assert sentences.sentences([], []) == []
    one = cell(images_per_prompt=1, fewest=1, prompts_off_target=4)
    said = (
        "The model m, as read by the classifier portraits, is found off its gender target on 4 of 4 prompts unguided."
    )
    assert sentences.headline([one]) == said
    assert sentences.limits([one]) == "1 image of a prompt and setting." and sentences.limits([]) == ""
    texts = [finding.text for finding in sentences.sentences([cell()], [share("none", "male", 0.94, 0.9, 0.97)])]
    assert "firefighter: 94 % [90, 97] male, target 50 %." in texts


def test_what_is_not_found_is_not_said_to_be_none():
    met = [cell(setting="fair", prompts_off_target=0), cell(prompts_off_target=0)]
    said = "The model m, as read by the classifier portraits, is found off its gender target "
    said += "on none of 4 prompts unguided, on none with fair."
    assert sentences.headline(met) == said
    assert "a difference below 42 points could not have been found" in sentences.limits(met)
    few = [row | {"least_difference": None, "prompts_not_decided": 4} for row in met]
    assert sentences.limits(few) == "8 images of a prompt and setting: too few to find any prompt off target."
    lost = [met[0] | {"unseen": 1, "prompts_not_decided": 1}, met[1]]
    texts = [finding.text for finding in sentences.sentences(lost, [])]
    assert "40 % [30, 50] unguided, 40 % [30, 50] over 3 of 4 prompts with fair; off target" in texts[0]
    assert "Nothing is decided on 4 of 4 prompts unguided" in " ".join(f.text for f in sentences.sentences(few, []))
    pooled = [few[0], few[1] | {"cell_q": 0.002}]
    assert sentences.limits(pooled).endswith(" All prompts together are off target unguided (q = 0.002).")


def test_two_models_and_two_classifiers_are_on_the_first_screen():
    cells = [cell(setting="fair", prompts_off_target=1), cell(), cell(model="n", prompts_off_target=2)]
    assert sentences.headline(cells).endswith("unguided, on 1 with fair; n on 2 unguided.")
    cells[-1]["prompts"] = 3
    assert sentences.headline(cells).endswith("; n on 2 of 3 unguided.")
    kappa = {"attribute": "gender", "classifier": "a", "other_classifier": "b", "kappa_low": -0.1, "kappa_high": 0.2}
    pair = {"setting": "fair", "model": "m", "versus": "n", "attribute": "gender", "group": "male", "share": 0.7}
    pair |= {"other_share": 0.5, "difference": 0.2, "difference_low": 0.1, "difference_high": 0.3}
    findings = sentences.sentences(cells, [], [kappa | {"kappa": 0.06}], [pair])
    assert findings[0].kind == "bad" and findings[0].text.startswith(
        "a and b contradict each other on gender: kappa 0.06"
    )
    said = "m shows male 70 %, n 50 % (fair): on the same prompts and seeds a difference of 20 [10, 30] points."
    assert said in [finding.text for finding in findings]
    assert sentences.sentences(cells, [], [kappa | {"kappa": 0.8}])[0].text.startswith("gender: mean distance")


def test_figures_use_the_pages_colours_and_escape_text():
    rows = [cell(), cell(setting="<b>", scene_kept=0.9, scene_kept_low=0.8, scene_kept_high=1.0)]
    (figure,) = figures.draw(rows, [])
    assert "var(--c1)" in figure["svg"] and "#0000" not in figure["svg"]
    assert "<b>" not in figure["svg"] and 'role="img"' in figure["svg"]


def test_a_line_over_the_dose_needs_three_points():
    dose = [
        {"model": "m", "method": "fair", "attribute": "gender", "scale": scale, "distance": 0.5 - scale / 20}
        | {"distance_low": 0.1, "distance_high": 0.6}
        for scale in (0, 2, 4)
    ]
    assert len(figures.draw([cell()], dose)) == 1
    assert figures.draw([cell()], dose[:2]) == []

"""The pictures that stand for each group where a spec names none: those of the sweep's own training data."""

from fairsweep.audits.data.sweep import data_sweep
from fairsweep.audits.encoder.stimuli import Stimuli
from fairsweep.measure.catalogue import connect
from fairsweep.pages.pictures import opened
from fairsweep.plan.declared import lead
from fairsweep.spec import SweepSpec
from fairsweep.store import Store

# With fewer, the ranks of prompts by their association with pictures vary more from one draw to the next.
PICTURES = 400
# The first of these matchings that there is: samples of what they match. The nearest are the most typical alone.
_SAMPLES = ("captions", "threshold-captions", "threshold-mixture")
_LEAST = 2


def group_pictures(spec: SweepSpec, store: Store) -> dict[tuple[str, str], list[Stimuli]]:
    """Return for each attribute and group a set of PICTURES pictures at most, of all prompts as the data mix them.

    An attribute is left out where the training data have not been audited, or show fewer than two of a group.
    """
    sweep = data_sweep(spec)
    if not store.has_sweep(sweep):
        return {}
    # By hashes of files' names, whose order has nothing to do with what pictures show, wherever the data lie.
    query = """
        select image_id from pictures
        semi join (select image_id from plan where sweep = $sweep and setting = $setting) using (image_id)
        semi join (
            select image_id from labels
            where attribute = $attribute and classifier = $classifier and label = $group and error is null
        ) using (image_id)
        group by image_id
        order by md5(parse_filename(any_value(image.path))), image_id limit $most"""
    sets: dict[tuple[str, str], list[Stimuli]] = {}
    with connect(store) as connection:
        rows = connection.execute("select distinct setting from settings where sweep = ?", [sweep]).fetchall()
        setting = next((each for each in _SAMPLES if (each,) in rows), None)
        for attribute, declared in spec.attributes.items() if setting else ():
            own = {}
            for group in declared.groups:
                bound = {"sweep": sweep, "setting": setting, "attribute": attribute, "group": group, "most": PICTURES}
                found = connection.execute(query, bound | {"classifier": lead(spec, attribute)}).fetchall()
                pictures = opened(store, connection, [row[0] for row in found])
                name = f"{attribute} {group} in {sweep}"
                own[attribute, group] = [Stimuli(name, list(pictures), pictures=list(pictures.values()))]
            if min(len(each.names) for (each,) in own.values()) >= _LEAST:
                sets |= own
    return sets

"""Put drawn worlds where the metrics' own views read them: a world is a sweep, a replicate a model.

Images are counted in numpy; what the views count from there, and all that they say, is theirs. What several views read
is counted once for all worlds of a batch.
"""

from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from fairsweep.bench.coverage.world import Draw
from fairsweep.measure import catalogue, summary
from fairsweep.measure.metrics import list_metrics
from fairsweep.store.files import Files
from fairsweep.store.schemas import FOLDERS

BLOCKS = 8
# Views that read single images are given the first replicates of a world, so many images in each setting.
IMAGES = 10_000
MEANS = ("total_variation", "normalised_entropy", "change_from_baseline", "missing_share")
VIEWS = (
    "share",
    "missing_share",
    "total_variation",
    "normalised_entropy",
    "parity_difference",
    "jensen_shannon",
    "l2_discrepancy",
    "mean_share",
    "change_from_baseline",
    "distance_change",
    "side_effects",
    "bias_amplification",
    "steering",
    "target_test",
    "cell_test",
    "mutual_information",
    "mcnemar",
)
# What is drawn, in the place of what is counted from a store.
_DRAWN = {
    "plan", "targets", "settings", "unit_counts", "seed_counts", "pair_tallies", "model_pairs", "stratum_counts",
    "sweep_references",
}  # fmt: skip


class Simulation:
    """A connection with every view, whose data are those of the last batch of worlds."""

    def __init__(self) -> None:
        # One core, for one that leaves the machine to others: the plans of DuckDB 2.0.0 for several fail on many rows.
        self.connection = duckdb.connect(config={"threads": 1})
        catalogue.create(self.connection, {kind: Files() for kind in FOLDERS})
        self._bodies = {name: sql for name, sql in summary.bodies().items() if name not in _DRAWN}
        self._parts = [part.name for part in summary.in_order(self.connection)]
        self._means = [metric for metric in list_metrics() if metric.name in MEANS]
        read = set(summary.upstream(self.connection, [*VIEWS, *MEANS, "distributions_without_seeds"], self._bodies))
        self._needed = [name for name in self._parts if name in read - {"noise_floors", "uniform_floors"}]
        self.connection.execute("create temp table floors as select * from noise_floors where false")

    def load(self, draws: list[Draw]) -> None:
        """Count the worlds' images, and compute every view of them that has an interval or a test."""
        self._write("drawn_units", [_units(place, draw) for place, draw in enumerate(draws)])
        self._write("drawn_seeds", [_seeds(place, draw) for place, draw in enumerate(draws)])
        self._write("drawn_pairs", [_pairs(place, draw) for place, draw in enumerate(draws)])
        groups = [
            {"world": place, "group": f"g{group}", "position": group, "target": float(share)}
            for place, draw in enumerate(draws)
            for group, share in enumerate(draw.target)
        ]
        self._write("drawn_groups", [pa.Table.from_pylist(groups)])
        self.connection.execute(_BASE)
        for name, sql in summary.STRATA.items():
            self.connection.execute(f"create or replace temp view {name} as {sql}")
        there = []
        for name in self._needed:
            if name == "group_counts":
                self._table(name)
                self._floors()
            else:
                self._table(name)
            there.append(name)
        query = summary.summary_query(self.connection, self._means, self._bodies, [*there, "noise_floors"])
        self.connection.execute(f"create or replace temp table measured as {query}")

    def compare(self) -> None:
        """Take the two settings for two models: each replicate is a sweep, of which `compared` holds the comparison."""
        self.connection.execute(_MODELS)
        self._table("model_comparison")
        self.connection.execute(
            """create or replace temp table compared as
            select split_part(sweep, '/', 1)::int as world, split_part(sweep, '/', 2)::int as replicate,
                "group", low, high, p_value
            from model_comparison"""
        )

    def mix(self) -> None:
        """Test prompts of two kinds together: every other one free, the rest guided, and so on target."""
        self.connection.execute(
            """create or replace temp table group_counts as select * replace ('mixed' as setting) from group_counts
            where sweep in (select sweep from settings where setting = 'fair')
                and (setting = 'none') = (prompt::int % 2 = 0)"""
        )
        self._table("target_test")

    def columns(self, query: str) -> dict[str, np.ndarray]:
        """Return the columns of a query; null is NaN."""
        table = self.connection.sql(query).to_arrow_table()
        return {name: np.asarray(table[name].to_numpy(zero_copy_only=False)) for name in table.column_names}

    def _table(self, name: str) -> None:
        self.connection.execute(f'create or replace temp table "{name}" as {self._bodies[name]}')

    def _write(self, name: str, tables: Iterable[pa.Table]) -> None:
        self.connection.register("batch", pa.concat_tables(tables))
        self.connection.execute(f"create or replace temp table {name} as from batch")
        self.connection.unregister("batch")

    def _floors(self) -> None:
        """Compute the noise floors of numbers of images that no batch before had."""
        self.connection.execute(
            """create or replace temp table floors_needed as
            from (
                select targets as fair, floor_n as n from group_counts where n > 0
                union select uniform, floor_n from group_counts where n > 0
            ) anti join floors using (fair, n)"""
        )
        self.connection.execute(
            f"""insert into floors
            with group_counts as (select fair as targets, fair as uniform, n, n as floor_n from floors_needed)
            from ({self._bodies["noise_floors"]}
            )"""
        )
        self.connection.execute("create or replace temp view noise_floors as from floors")


def _cells(place: int, draw: Draw, setting: str, replicates: int | None = None) -> tuple[np.ndarray, ...]:
    """Return outcomes and directions of the first replicates, and each image's replicate, prompt and seed."""
    outcomes = draw.outcomes[setting][:replicates]
    directions = draw.directions[setting][:replicates]
    replicate, prompt, seed = np.ogrid[tuple(slice(size) for size in outcomes.shape)]
    return outcomes, directions, replicate, prompt, seed


def _units(place: int, draw: Draw) -> pa.Table:
    """Count the images of each prompt, block of seeds, direction and outcome."""
    kinds = len(draw.world.shares) + 1
    tables = []
    for setting in draw.outcomes:
        outcomes, directions, replicate, prompt, seed = _cells(place, draw, setting)
        cell = (replicate * draw.world.prompts + prompt) * BLOCKS + (seed + 1) % BLOCKS
        key = (cell * kinds + directions) * kinds + outcomes
        n = np.bincount(key.ravel(), minlength=cell.max() + 1)
        keys = np.flatnonzero(n)
        n = n[keys]
        keys, outcome = np.divmod(keys, kinds)
        keys, direction = np.divmod(keys, kinds)
        keys, block = np.divmod(keys, BLOCKS)
        replicate, prompt = np.divmod(keys, draw.world.prompts)
        columns = {"replicate": replicate, "prompt": prompt, "block": block, "direction": direction, "outcome": outcome}
        tables.append(_table(place, setting, columns | {"n": n}))
    return pa.concat_tables(tables)


def _seeds(place: int, draw: Draw) -> pa.Table:
    """Count the groups of each seed over all prompts."""
    groups = len(draw.world.shares)
    replicates = max(1, IMAGES // draw.world.images)
    tables = []
    for setting in draw.outcomes:
        outcomes, _, replicate, _, seed = _cells(place, draw, setting, replicates)
        counts = (outcomes[..., None] == np.arange(groups)).sum(1)
        flat = pa.FixedSizeListArray.from_arrays(pa.array(counts.ravel(), pa.int64()), groups)
        shape = counts.shape[:2]
        columns = {"replicate": np.broadcast_to(replicate[:, 0], shape).ravel()}
        columns["seed"] = np.broadcast_to(seed[:, 0], shape).ravel()
        tables.append(_table(place, setting, columns | {"counts": flat.cast(pa.list_(pa.int64()))}))
    return pa.concat_tables(tables)


def _pairs(place: int, draw: Draw) -> pa.Table:
    """Set each guided image beside the unguided one of its prompt and seed."""
    if "fair" not in draw.outcomes:
        return _pairs_schema().empty_table()
    replicates = max(1, IMAGES // (draw.world.images * draw.world.prompts))
    after, directions, replicate, prompt, seed = _cells(place, draw, "fair", replicates)
    before = draw.outcomes["none"][:replicates]
    columns = {
        name: np.broadcast_to(values, after.shape).ravel()
        for name, values in {"replicate": replicate, "prompt": prompt, "seed": seed, "direction": directions}.items()
    }
    table = _table(place, "fair", columns | {"before": before.ravel(), "after": after.ravel()})
    return table.cast(_pairs_schema())


def _pairs_schema() -> pa.Schema:
    whole = ("world", "replicate", "prompt", "seed", "direction", "before", "after")
    return pa.schema([("world", pa.int64()), ("setting", pa.string()), *((name, pa.int64()) for name in whole[1:])])


def _table(place: int, setting: str, columns: dict) -> pa.Table:
    size = len(next(iter(columns.values())))
    world = pa.array(np.full(size, place), pa.int64())
    return pa.table({"world": world, "setting": pa.repeat(setting, size), **columns})


# The base views over what is drawn. The guided setting is said to steer another attribute, so that side_effects speaks
# of this one. The reference's shares fall in even steps: 2/3 and 1/3, or 1/2, 1/3 and 1/6.
_BASE = """
create or replace temp view names as
    select world, list("group" order by position) as groups, list(target order by position) as targets
    from drawn_groups group by world;
create or replace temp table plan as
    select distinct world::varchar as sweep, replicate::varchar as model, setting, prompt::varchar as prompt,
        prompt::varchar as prompt_name
    from drawn_units;
create or replace temp view targets as
    select world::varchar as sweep, 'group' as attribute, "group", "group" as group_text, target,
        position::integer as position, null::varchar[] as unknown_to
    from drawn_groups;
create or replace temp view sweep_references as
    select world::varchar as sweep, 'of ' || count(*) as reference from drawn_groups group by world;
create or replace temp table reference_shares as
    select
        'of ' || groups as reference, prompt_name, 'group' as attribute, 'g' || position as "group",
        (groups - position) * 2e0 / (groups * (groups + 1)) as share, null::bigint as n
    from (select distinct prompt_name from plan)
    cross join (select distinct count(*) as groups from drawn_groups group by world)
    cross join (select unnest(range(3)) as position)
    where position < groups;
create or replace temp view settings as
    select distinct sweep, model, setting, setting as method, null::double as guidance_scale, 1e0 as scale,
        ['other'] as attributes, '{}' as params, setting = 'none' as baseline,
        null::varchar[] as rules
    from plan;
create or replace temp table unit_counts as
    select
        world::varchar as sweep, prompt_key(world::varchar, replicate::varchar, setting, prompt::varchar) as cell,
        prompt_key(world::varchar, replicate::varchar, setting, prompt::varchar) as judge, block as seed_block,
        groups[direction + 1] as steered_to, 'group' as attribute, 'c' as classifier,
        coalesce(groups[outcome + 1], 'no_face') as outcome, outcome < len(groups) as declared, n
    from drawn_units join names using (world);
create or replace temp view seed_counts as
    select
        world::varchar as sweep, replicate::varchar as model, setting, seed, 'group' as attribute, 'c' as classifier,
        groups, targets, counts, list_sum(counts)::bigint as n
    from drawn_seeds join names using (world);
create or replace temp view pair_tallies as
    with named as (
        select
            world::varchar as sweep, replicate::varchar as model, setting, 'none' as versus, prompt::varchar as prompt,
            seed, 'group' as attribute, 'c' as classifier,
            coalesce(groups["before" + 1], 'no_face') as "before", coalesce(groups["after" + 1], 'no_face') as "after",
            if("before" < len(groups), "before", null) as position_before,
            if("after" < len(groups), "after", null) as position_after
        from drawn_pairs join names using (world)
    )
    select * exclude (seed), prompt as prompt_name, null::bigint as seed, count(*) as n from named group by all
    union all by name
    select
        * exclude (prompt), null::varchar as prompt, null::varchar as prompt_name, count(*) as n
    from named group by all;
"""
_MODELS = """
create or replace temp view model_pairs as
    with shown as (
        select world || '/' || replicate as sweep, seed, groups, "before", "after"
        from drawn_pairs join names using (world)
        where "before" < len(groups) and "after" < len(groups)
    ),
    told as (select *, unnest(range(len(groups))) as place from shown)
    select
        sweep, 'both' as setting, 'fair' as model, 'none' as versus, seed, 'group' as attribute, 'c' as classifier,
        groups[place + 1] as "group", count(*) filter ("after" = place) as count,
        count(*) filter ("before" = place) as other_count, count(*) as n
    from told
    group by all
"""

"""Look at the round that was made last, and write what it decides."""

from fairsweep.measure.catalogue import connect
from fairsweep.plan import decisions, pilots, skew, steering, stopping
from fairsweep.plan.rounds import Rounds
from fairsweep.spec import SweepSpec
from fairsweep.store import Store


def decide(spec: SweepSpec, store: Store, encode: steering.ModelEncode | None = None) -> tuple[bool, list[str]]:
    """Write what a whole round decides; tell whether that was anything, and why the sweep is refused, where it is.

    encode: what a model's text encoder makes of texts, asked where prompts that name a group are to be found; without
    it words alone find them. The caller holds the store's lock.
    """
    before = decisions.read(store, spec.name)
    rounds = Rounds(spec, before)
    if not rounds.decide:
        return False, []
    with connect(store) as connection:
        made = [*skew.decide(rounds.skew, connection)]
        made += pilots.decide(rounds.pilots, rounds.steering.steered, connection)
        made += stopping.decide(rounds, connection)
        steering.show_pilots(connection)
        made += steering.decide(rounds.steering, connection, encode)
    decisions.write(store, made)
    return bool(made), skew.Skew(spec, [*before, *made]).refusals()

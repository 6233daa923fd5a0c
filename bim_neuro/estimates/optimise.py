"""Optimise: choose among placements of a graph the one with the least energy, latency or cores in a run.

Full cores are few and near each other: messages take few hops. Cores that hold less finish a step sooner, so static
power is spent for less time. So the placements are `place`'s own, others whose cores hold only a part of the neurons
and synapses of the fullest of `place`'s cores, with layers together or apart, and the best of a search
(`compilers.placement.spread`). They are compared by the energy and latency models; ties go to fewer cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf

from ..compilers.placement.bounds import CoreBound
from ..compilers.placement.memory import Footprint
from ..compilers.placement.place import place
from ..compilers.placement.spread import Search
from ..errors import DoesNotFit, InputError
from ..graph import Core, PlacedGraph, WorstCore
from ..hardware import HardwareProfile, Quantity
from ..record import RunRecord
from .energy import price
from .latency import latency
from .settle import hasten, settle

FILLS = (1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
_FILLED = ("neuron_words", "synapse_words")

Cost = Callable[[PlacedGraph, RunRecord, HardwareProfile], float | None]
Places = Callable[[PlacedGraph, RunRecord, HardwareProfile, float], PlacedGraph]

OBJECTIVES: dict[str, Cost] = {
    "energy": lambda placed, record, profile: price(placed, record, profile).energy_uj.value,
    "latency": lambda placed, record, profile: latency(placed, record, profile).answer_us.value,
    "cores": lambda placed, record, profile: cores_used(placed),
}
"""What is minimised: dynamic plus static energy per sample, time from first input to last answer, or cores."""


PLACES: dict[str, Places] = {"energy": settle, "latency": hasten}
"""Positions of the cores during a search."""


def optimise(
    placed: PlacedGraph,
    record: RunRecord,
    profile: HardwareProfile,
    objective: str,
    *,
    max_cores: int | None = None,
    plastic: Mapping[str, int] | None = None,
) -> PlacedGraph:
    """Return the best placement of the same graph, none with more than ``max_cores`` if one can do with them.

    ``placed`` is where the search begins; ``plastic`` is as in `compilers.placement.place.place`. Raises InputError
    where the target has no prices or times to compare by.
    """
    if placed.placement is None:
        return placed
    cost = OBJECTIVES[objective]
    _known(cost(placed, record, profile), objective, profile)
    found = [placed, *_smaller(placed, record, profile, plastic)]
    if objective != "cores":
        footprint = Footprint(placed.graph, profile, plastic)
        found += _search(placed, record, footprint, objective, max_cores).best(found if objective == "energy" else ())
    allowed = [one for one in found if max_cores is None or cores_used(one) <= max_cores]
    costs = [(_known(cost(one, record, profile), objective, profile), cores_used(one)) for one in allowed or found[:1]]
    return (allowed or found)[costs.index(min(costs))]


def cores_used(placed: PlacedGraph) -> int:
    """Return how many cores a placement takes."""
    return len({core.index for core in placed.cores})


def _known(cost: float | None, objective: str, profile: HardwareProfile) -> float:
    if cost is None:
        missing = {"energy": "static power or energy prices", "latency": "times"}[objective]
        hint = "bim-compile --list targets has others, --optimise cores needs none"
        raise InputError(
            f"{profile.name} has no published {missing}, so --optimise {objective} cannot compare placements", hint
        )
    return cost


def _search(
    placed: PlacedGraph, record: RunRecord, footprint: Footprint, objective: str, max_cores: int | None
) -> Search:
    """Return a search that takes no more cores than the target has and the user allows."""
    assert placed.placement is not None, "it has cores"
    profile, cost, places = footprint.profile, OBJECTIVES[objective], PLACES[objective]
    bound = CoreBound(placed.placement.lower_bound, placed.placement.binding)
    most = min(limit for limit in (max_cores, profile.usable_cores) if limit is not None)
    return Search(
        footprint,
        bound,
        lambda laid, effort: places(laid, record, profile, effort),
        lambda one: cost(one, record, profile),
        most,
    )


def _smaller(
    placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, plastic: Mapping[str, int] | None
) -> Iterator[PlacedGraph]:
    """Yield placements with ever less on a core, as far as they fit: layers together, then each apart."""
    most = {name: max(core.resources.get(name, (0, 0))[0] for core in placed.cores) for name in _FILLED}
    for groups, fills in ((profile.capacity.groups.number, FILLS[1:]), (1, FILLS)):
        for fill in fills:
            smaller = _limited(profile, {name: fill * used for name, used in most.items()} | {"groups": groups})
            try:
                spread = place(placed.graph, smaller, traffic=record, plastic=plastic)
            except DoesNotFit:
                break
            yield _true_limits(spread, placed, profile)


def _limited(profile: HardwareProfile, limits: Mapping[str, float]) -> HardwareProfile:
    """Return the profile with smaller cores."""
    smaller: dict[str, Quantity] = {}
    for name, limit in limits.items():
        quantity = getattr(profile.capacity, name)
        smaller[name] = replace(quantity, value=min(limit, quantity.number))
    return replace(profile, capacity=replace(profile.capacity, **smaller))


def _true_limits(spread: PlacedGraph, placed: PlacedGraph, profile: HardwareProfile) -> PlacedGraph:
    """Return a placement on smaller cores as one on the profile's: its limits, and its lower bound."""
    assert spread.placement is not None, "it has cores"
    assert placed.placement is not None, "it has cores"
    cores = tuple(replace(core, resources=_resources(core, profile)) for core in spread.cores)
    worst, name = max(((core, name) for core in cores for name in core.resources), key=lambda found: _share(*found))
    used, limit = worst.resources[name]
    placement = replace(
        spread.placement,
        lower_bound=placed.placement.lower_bound,
        binding=placed.placement.binding,
        worst_core=WorstCore(worst.index, worst.layer, name, used, limit),
    )
    return replace(spread, cores=cores, placement=placement)


def _resources(core: Core, profile: HardwareProfile) -> dict[str, tuple[float, float]]:
    limits = {name: getattr(profile.capacity, name).number for name in core.resources}
    return {name: (used, limits[name]) for name, (used, _) in core.resources.items() if limits[name] < inf}


def _share(core: Core, name: str) -> float:
    used, limit = core.resources[name]
    return used / limit if limit else 0.0

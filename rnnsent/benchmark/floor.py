"""The least time that the counted work takes at the machine's limit."""

from collections.abc import Sequence

from rnnsent.benchmark import costs
from rnnsent.benchmark.case import Case
from rnnsent.benchmark.record import Floor, Machine, Sample


def floor(case: Case, task: str, samples: Sequence[Sample], machine: Machine) -> Floor:
    """The seconds that a step takes at the least, and what they are made of.

    Only real steps of time count, as nobody has to compute padding.

    Products and element-wise work share a core's units, so they add up; memory works meanwhile.
    The machine's best sample counts: a limit is not made by what disturbed the measurement.

    Args:
      case: the work.
      task: "train" or "infer".
      samples: of :class:`rnnsent.benchmark.limits.Limit` on that work.
      machine: its memory's rate, and the steps of time in a row.
    """
    size = case.model, case.batch, machine.steps
    flops = costs.flops(*size, train=task == "train") * case.seeds
    traffic = costs.traffic_bytes(*size, train=task == "train") * case.seeds
    elements = costs.transcendentals(*size) * case.seeds
    products_s = min(sample.products for sample in samples)
    elements_s = min(sample.elements for sample in samples)
    memory_s = traffic / machine.bytes_per_second
    return Floor(
        seconds=max(products_s + elements_s, memory_s),
        products=products_s,
        elements=elements_s,
        memory=memory_s,
        flops=flops,
        bytes=traffic,
        flops_per_second=flops / products_s if flops else None,
        elements_per_second=elements / elements_s if elements else None,
        bytes_per_second=machine.bytes_per_second,
    )

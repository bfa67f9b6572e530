"""A made-up record of every experiment with as many texts in it as there are, and its page."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import claims_world
import msgspec
import probe_world
from compare import made as comparisons
from report import timed
from sweep import made as sweeps

from rnnsent.report import claims, compare, probe, repetition, sweep
from rnnsent.report.blocks import Block
from rnnsent.runs.repeats import Gap, Repeat, Repetition
from rnnsent.sweep.final import Final, Tested


class Drawn(NamedTuple):
    """How a kind of record is drawn.

    ``make`` makes one; ``blocks`` is its page without figures, ``write`` writes all into a folder.
    """

    make: Callable[[], Any]
    blocks: Callable[[Any], Sequence[Block]]
    write: Callable[[Any, pathlib.Path], object]


def _comparison():
    lost, done = (
        comparisons.entrant("mine", [0.7], lost_seeds=(1,)),
        comparisons.entrant("sound-lstm", [0.8]),
    )
    return comparisons.of(lost, done, data=comparisons.HELD_OUT)


def _repetition():
    far = Gap(identical=False, largest=0.5)
    one = Repeat(
        title="mine",
        seed=1,
        losses=far,
        accuracies=far,
        measured_losses=far,
        measured_accuracies=far,
        logits=far,
        flipped=3,
        ends=(None, None),
        reasons=("device: a, now b",),
    )
    return Repetition(origin=comparisons.ORIGIN, run="runs/mine", repeats=(one,))


def _final():
    one = Tested(seed=0, accuracy=0.8, loss=0.5, diverged=None)
    return Final(
        name="mine",
        digest="0",
        seeds=(0,),
        opened="2026-11-26T10:00:00+00:00",
        tested=(one,),
        test_title="toy accuracy",
        title="all",
    )


def _sweep():
    members = ({}, [0.5, 0.6]), ({"cell": "gru", "dropout": 0.3}, [0.7, None])
    texts = {"names": ("a", "b"), "first_nan": "the first NaN is of log"}
    divergence = msgspec.structs.replace(comparisons.DIVERGENCE, **texts)
    return sweeps.of(*members, divergence=divergence)


def _claims():
    found = claims_world.results(claims_world.AS_MEASURED, seeds=2)
    made = claims_world.record(found, lost="mine seed 1 diverged in epoch 2", advice="Try it.")
    return msgspec.structs.replace(made, rows=made.rows | {"mine": made.rows["lstm"]})


def benchmarks():
    failed = timed.case(cell="mine")
    failed.results["torch"].status, failed.results["torch"].why = "failed", "Error: x"
    failed.failed = "TypeError: y"
    failed.samples = {task: dict(list(of.items())[:3]) for task, of in failed.samples.items()}
    studies = [timed.case(study, value) for study, value in (("packing", 8), ("steps", 8))]
    return timed.record(timed.case(), failed, *studies)


PAGES = {
    "compare": Drawn(_comparison, compare.blocks, compare.write),
    "claims": Drawn(_claims, claims.blocks, claims.write),
    "sweep": Drawn(_sweep, sweep.blocks, lambda record, place: sweep.write(record, None, place)),
    "probe": Drawn(
        lambda: probe_world.record(probe_world.row("a", probe_world.length(8, [1, 0, 0]))),
        probe.blocks,
        probe.write,
    ),
    "repetition": Drawn(_repetition, lambda record: list(repetition.blocks(record)),
                        repetition.write),
}  # fmt: skip

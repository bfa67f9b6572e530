"""A made-up probe, where what is true is known."""

import msgspec

from rnnsent.probe.record import Length, Record, Row, Seed
from rnnsent.runs.records import Origin

ORIGIN = {
    "versions": {"jax": "0.0", "flax": "0.0"},
    "device": {"platform": "cpu", "name": "a <machine>", "devices": 2},
    "git": None,
    "command": "probe.py",
    "started": "2026-01-01T00:00:00+00:00",
    "flags": {"XLA_FLAGS": "--xla_a=1"},
}


def length(steps, solved, *, task="adding", diverged=(), score=0.5):
    """A length of which the seeds say whether they solved it."""
    seeds = tuple(
        Seed(
            seed=i,
            steps=100,
            loss=None if i in diverged else 0.1,
            score=None if i in diverged else 0.99 if one else score,
            solved=bool(one),
            diverged=i in diverged,
            fresh=0.5,
            trained=None if i in diverged else 0.25,
        )
        for i, one in enumerate(solved)
    )
    return Length("digest", task, steps, 1.5, seeds)


def row(title, *lengths, task="adding"):
    return Row(title, title, "lstm", {task: lengths})


def record(*rows):
    """Of three seeds, up to 32 steps."""
    origin = msgspec.convert(ORIGIN, Origin)
    sizes = {"features": (8,), "batch": 32, "steps": 100, "limit": 32}
    rows = {one.title: one for one in rows}
    return Record(origin=origin, seeds=(0, 1, 2), **sizes, rows=rows)

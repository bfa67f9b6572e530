"""What the figures of a record rest on: reviews, machine and versions."""

from collections.abc import Iterator

from rnnsent import devices
from rnnsent.report.blocks import Block, Code, Note, Paragraph, Strong
from rnnsent.report.numbers import counted
from rnnsent.runs.records import Origin, Provenance

BY_THE_NOTEBOOKS_RULE = (
    "Chosen by the notebook's rule, ",
    Code("RandomState(25).choice(rows, 20, replace=False)"),
    "; ✗ marks a wrong prediction, ! an unknown word.",
)
"""Which of the test reviews are shown one by one, and what their marks mean."""


def setting(origin: Provenance) -> Iterator[Block]:
    """Reviews and vocabulary, then machine, versions and time."""
    data, device = origin.source, origin.device
    reason = f" {data.reason}" if data.reason else ""
    yield Paragraph([Strong("Data:"), " ", Code(data.source), f" — {data.title}.{reason}"])
    yield Paragraph(
        f"{data.train:,} reviews to train on, {data.test:,} to measure on. Vocabulary: "
        f"{data.vocabulary}; {data.num_words:,} ids, {data.maxlen} steps, padding {data.padding}, "
        f"truncating {data.truncating}."
    )
    versions = ", ".join(f"{name} {v}" for name, v in origin.versions.items() if v)
    yield Note(
        f"{device.name} ({device.platform}, {counted(device.devices, 'JAX device')}). "
        f"{versions}. Revision {origin.git or 'unknown'}. Started {origin.started}.{flags(origin)}"
    )
    if origin.parts:
        yield Paragraph([Strong("Trained in parts:"), f" {'; '.join(origin.parts)}."])


def flags(origin: Origin) -> str:
    """A sentence on the settings of XLA and JAX that a user made; empty where none was."""
    made = {name: devices.users(value) for name, value in (origin.flags or {}).items()}
    said = ", ".join(f"{name} {value}" for name, value in made.items() if value)
    return f" Set: {said}." if said else ""


def left_out(lost: str, why: str = "", advice: str = "") -> Iterator[Block]:
    """Names the trainings that diverged, and what to try; nothing where none did."""
    if lost:
        text = f" {lost}{why}. {advice}".rstrip()
        yield Paragraph([Strong("Left out of all that follows:"), text])

"""A whole probe: every model on every task, into a run folder and one record."""

import pathlib
from collections.abc import Sequence

import msgspec

from rnnsent import console, provenance
from rnnsent.probe.entrants import Entrant, Settings
from rnnsent.probe.measure import Probe, Work
from rnnsent.probe.record import Record
from rnnsent.runs.records import Origin


def run(
    folder: pathlib.Path,
    chosen: Sequence[Entrant],
    tasks: Sequence[str],
    seeds: Sequence[int],
    limit: int,
    settings: Settings,
) -> Record:
    """Measures what the folder does not hold yet, with a bar and the time left at most.

    Args:
      folder: the run's, opened.
      chosen: what takes part, checked.
      tasks: by name.
      seeds: one training of each model, task and length for each.
      limit: longest length that is tried.
      settings: of all trainings.

    Raises:
      UserError: if the folder holds something else of these names.
    """
    with console.whole_progress(1.0) as tell:
        work = Work(chosen, tasks, limit, settings.steps, tell)
        probe = Probe(folder, settings, seeds, limit, work)
        rows = {entrant.name: probe.row(entrant, tasks) for entrant in chosen}
    return Record(
        origin=msgspec.convert(provenance.here(), Origin),
        seeds=tuple(seeds),
        features=settings.features,
        batch=settings.batch,
        steps=settings.steps,
        limit=limit,
        rows=rows,
    )

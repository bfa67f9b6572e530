"""Run folders: where trainings are made and kept, and how they are read back.

``<run>/config.json, provenance.json, vocabulary.json, <recipe>/seed-<s>/…``: the run's provenance
tells of the command that wrote last, a training's own ``config.json`` and ``provenance.json`` of
that training. ``metrics.jsonl`` has a line for each epoch that has ended, ``checkpoint/`` the state
after the last one, ``best/`` that of the lowest validation loss, where that is measured.
``result.json`` is written last and at once, so a training that has one is finished. One that was
interrupted has ``last.json`` and ``last-<epoch>-<step>/`` instead, from which it goes on; metrics
are then as they were there. One that diverged is finished too: its ``result.json`` says in which
epoch, ``divergence.json`` in which step if that was found, and nothing else is kept of it.
"""

from rnnsent.runs.files import read_json, write_json
from rnnsent.runs.folders import (
    check_place,
    data_of,
    going_on,
    latest,
    load_vocabulary,
    new_folder,
    open_folder,
    origins,
    save_vocabulary,
)
from rnnsent.runs.loading import Trained, load, restore
from rnnsent.runs.reading import (
    Training,
    advice,
    check_named,
    diverged_text,
    finished,
    read,
    readable,
    seed_folder,
    seeds,
    trusted,
)
from rnnsent.runs.records import read_record, write_record
from rnnsent.runs.trainings import Told, check, check_same, pending, seeds_together, train

__all__ = [
    "Told",
    "Trained",
    "Training",
    "advice",
    "check",
    "check_named",
    "check_place",
    "check_same",
    "data_of",
    "diverged_text",
    "finished",
    "going_on",
    "latest",
    "load",
    "load_vocabulary",
    "new_folder",
    "open_folder",
    "origins",
    "pending",
    "read",
    "read_json",
    "read_record",
    "readable",
    "restore",
    "save_vocabulary",
    "seed_folder",
    "seeds",
    "seeds_together",
    "train",
    "trusted",
    "write_json",
    "write_record",
]

"""Made-up trainings, where what is true is known."""

import msgspec
import numpy as np

from rnnsent import evaluation
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.criteria import criteria
from rnnsent.claims.criterion import verdict
from rnnsent.claims.leads import BEATEN
from rnnsent.claims.measure import Changed, Epoch, Flips, Found, Measured
from rnnsent.claims.record import Claim, Record, Row
from rnnsent.memory import Curve, MemoryCurves
from rnnsent.predictions import Agreed, Group
from rnnsent.readings import Reading, Review
from rnnsent.runs.records import Provenance

ROWS = 1000
PARAMETERS = {"simple_rnn": 197_185, "lstm": 293_953}
WORDS = (5, 10, 20, 40, 80)


def training(accuracy, seed=0, *, seconds=1.0, same=0.9, kept=0.9, reach=0.1, flip=0.1, left=0.5):
    """A training of that accuracy.

    ``same`` and ``kept`` are how often its prediction stays with the last words only and with the
    first ones replaced, ``reach`` what the far words bring, ``left`` what is left of the gradient.
    """
    tiny = seed / 1e4
    norms = tuple(np.where(np.arange(132) < 60, 1.0, left + tiny).tolist())
    curve = Curve(norms, norms, norms, norms)
    gradients = MemoryCurves(curve, {"h 1": curve, "h 2": curve})
    measured = Measured(
        whole=accuracy,
        last={k: Changed(accuracy - reach - tiny, same + tiny) for k in WORDS},
        replaced={k: Changed(accuracy, kept + tiny) for k in (40, 80, 120)},
        flips=Flips(9, flip + tiny, flip, 0.01),
        turns={k: same / 2 + tiny for k in WORDS},
        jump=same / 2 + tiny,
        fresh=gradients,
        trained=gradients,
    )
    history = (Epoch(0.5, accuracy),)
    return Found(seed, 1, accuracy, accuracy, (seconds + seed / 1000,), history, measured)


def right(found):
    """Which reviews a training classifies right: the first share of them."""
    return np.arange(ROWS) < round(found.test_accuracy * ROWS)


def results(accuracies, seeds=5, **rnn):
    """All conditions; keywords describe the SimpleRNN's, the LSTM's stay as they are by default."""
    cells = {"notebook-simple-rnn": (1 / 500, rnn), "notebook-lstm": (1 / 250, {"seconds": 4.0})}
    found = {}
    for name, condition in CONDITIONS.items():
        step, like = cells[condition.recipe]
        found[name] = [training(accuracies[name] + s * step, s, **like) for s in range(seeds)]
    return found


def paired(found):
    """Those of the SimpleRNNs against the LSTM, on the same reviews."""
    pairs = {name: zip(found[name], found["lstm"], strict=True) for name in BEATEN}
    return {
        name: [evaluation.mcnemar(right(a), right(b)) for a, b in of] for name, of in pairs.items()
    }


AS_MEASURED = {
    "simple_rnn": 0.52,
    "simple_rnn-twice": 0.77,
    "simple_rnn-plain": 0.81,
    "lstm": 0.84,
    "lstm-recurrent": 0.84,
}
AS_CLAIMED = {"same": 0.99, "kept": 0.99, "reach": 0.01, "flip": 0.5, "left": 0.01}
CELL = dict(AS_MEASURED) | {"simple_rnn": 0.6, "simple_rnn-plain": 0.78}


def record(found, comparable=True, lost="", advice=""):
    """The record of made-up trainings, with one review."""
    rows = {name: row(CONDITIONS[name].title, many) for name, many in found.items()}
    accuracies = {name: many[0].test_accuracy for name, many in found.items()}
    decided = criteria(found, paired(found), PARAMETERS, comparable)
    readings = tuple(
        Reading(title, (0.5, -0.25), (0.4, -0.2), (0.6, 0.7), 0.5, 0.7, 0.0)
        for title in ("SimpleRNN", "LSTM")
    )
    return Record(
        origin=msgspec.convert(ORIGIN, Provenance),
        test_title="IMDB test accuracy" if comparable else "toy accuracy",
        comparable=comparable,
        seeds=tuple(f.seed for f in found["lstm"]),
        lost=lost,
        advice=advice,
        rows=rows,
        tests={name: tuple(tests) for name, tests in paired(found).items()},
        groups={"padding": (Group(name="no padding", reviews=ROWS, accuracy=accuracies),)},
        agreements=(Agreed(first="simple_rnn", second="lstm", pairs=5, share=0.9, kappa=None),),
        claims=tuple(Claim(text, verdict(cs), tuple(cs)) for text, cs in decided.items()),
        chosen=("SimpleRNN with seed 0", "LSTM with seed 0"),
        reviews=(Review(1, "test review 7", 1, ("a", "<b>film</b>"), readings, {"LSTM": 1}),),
    )


def row(title, many):
    """One row of a record."""
    return Row(
        title=title,
        recipe="notebook-lstm",
        recurrent_dropout=0.0,
        parameters=PARAMETERS["lstm"],
        printed=None,
        interval=(many[0].test_accuracy - 0.01, many[0].test_accuracy + 0.01),
        calibration=(evaluation.Calibration(0.1, 0.2, (0.2, 0.8), (0.1, 0.9), (50, 50)),),
        found=tuple(many),
    )


ORIGIN = {
    "data": {
        "source": "toy",
        "title": "a made-up <task>",
        "test_title": "toy accuracy",
        "train": 10,
        "test": ROWS,
        "vocabulary": "of its own",
        "num_words": 5000,
        "maxlen": 132,
        "padding": "pre",
        "truncating": "pre",
    },
    "device": {"name": "a processor", "platform": "cpu", "devices": 2},
    "versions": {"jax": "1", "flax": "1", "optax": "1"},
    "git": None,
    "command": "claims",
    "started": "today",
    "flags": {"XLA_FLAGS": "--xla_a=1"},
}

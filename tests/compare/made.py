"""Made-up records of a comparison: no training, milliseconds."""

import msgspec
import numpy as np

from rnnsent.compare import entrants, record
from rnnsent.divergence import Divergence, Gradient
from rnnsent.evaluation import Calibration, spread
from rnnsent.memory import Curve, MemoryCurves
from rnnsent.predictions import Agreed, Group, SeedTest
from rnnsent.readings import Reading, Review
from rnnsent.runs.records import Device, Provenance, Source

ACCURACY = {
    "notebook-simple-rnn": 0.60,
    "notebook-lstm": 0.84,
    "sound-simple-rnn": 0.855,
    "sound-lstm": 0.857,
}
TITLES = {
    "notebook-simple-rnn": "SimpleRNN, notebook",
    "notebook-lstm": "LSTM, notebook",
    "sound-simple-rnn": "SimpleRNN, sound",
    "sound-lstm": "LSTM, sound",
}
IMDB = Source(
    source="imdb",
    title="the full IMDB dataset",
    test_title="IMDB test accuracy",
    train=25_000,
    test=25_000,
    vocabulary="published",
    num_words=5000,
    maxlen=132,
    padding="pre",
    truncating="pre",
)
HELD_OUT = msgspec.structs.replace(
    IMDB,
    source="imdb-train",
    test_title="accuracy on 5,000 held-out training reviews",
    reason="The archive cannot be reached.",
)
ORIGIN = Provenance(
    data=msgspec.to_builtins(IMDB),
    device=Device(platform="cpu", name="A machine, 2 cores", devices=2),
    versions={"jax": "1.2", "absent": None},
    git="abc",
    command="compare.py",
    started="today",
    flags={"XLA_FLAGS": "--xla_a=1"},
)


def curves(length: int = 24) -> MemoryCurves:
    fall = tuple(0.9**d for d in range(length))
    curve = Curve(*(tuple(f * x for x in fall) for f in (0.5, 1.0, 2.0, 1.2)))
    return MemoryCurves(curve, {"h 1": curve, "h 2": curve})


def training(seed: int, accuracy: float, epochs: int, fits: int) -> entrants.Training:
    passes = [
        entrants.Epoch(loss=0.7 - 0.01 * i, accuracy=0.5 + 0.01 * i, seconds=2.0 + (i == 0))
        for i in range(epochs * fits)
    ]
    measured = entrants.Measured(
        train_accuracy=accuracy + 0.02,
        test_accuracy=accuracy,
        train_loss=0.3,
        test_loss=0.4,
        first_fit_accuracy=accuracy - 0.05 if fits > 1 else None,
        calibration=Calibration(0.02, 0.1, (0.1, 0.9), (0.2, 0.8), (50, 50)),
        fresh=curves(),
        trained=curves(),
    )
    return entrants.Training(seed=seed, epochs=tuple(passes), seconds=65.0, measured=measured)


DIVERGENCE = Divergence(
    epoch=2,
    step=7,
    steps=40,
    total_step=47,
    loss=None,
    rows=(3, 1),
    gradients=(
        Gradient("layer_0/kernel", 0.5, None),
        Gradient("layer_0/recurrent_kernel", 3.1e8, None),
    ),
    parameter="layer_0/kernel",
)


def lost(seed: int) -> entrants.Training:
    passes = (entrants.Epoch(loss=None, accuracy=None, seconds=2.0),)
    return entrants.Training(seed=seed, epochs=passes, seconds=2.0, diverged=1)


def entrant(
    name: str,
    accuracies=(0.6,),
    *,
    title: str | None = None,
    lost_seeds=(),
    shipped=None,
    **changes,
) -> entrants.Entrant:
    fits = changes.pop("fits", 2 if name == "notebook-simple-rnn" else 1)
    epochs = changes.pop("epochs", 10)
    done = [training(seed, a, epochs, fits) for seed, a in enumerate(accuracies)]
    measured = [one.measured for one in done]
    summary = None
    if done:
        kinds = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
        summary = entrants.Summary(
            **{kind: spread([getattr(m, kind) for m in measured]) for kind in kinds},
            first_fit_accuracy=spread([m.first_fit_accuracy for m in measured])
            if fits > 1
            else None,
            interval=(accuracies[0] - 0.01, accuracies[0] + 0.01),
            epoch_seconds=22.0 if "lstm" in name else 5.5,
            seconds=65.0,
        )
    fields = {"cell": name.split("-")[-1], "features": [128, 64], "clip": 0.0, "epochs": epochs}
    return entrants.Entrant(
        name=name,
        title=title or TITLES.get(name, name),
        shipped=name in TITLES if shipped is None else shipped,
        cell="lstm" if "lstm" in name else "simple_rnn",
        epochs=epochs,
        fits=fits,
        fields=fields | changes,
        layers=(
            entrants.Layer(name="Embedding", output="(B, 132, 32)", parameters=160_000),
            entrants.Layer(name=f"{name} 64 last", output="(B, 64)", parameters=12_352),
        ),
        parameters=172_352,
        trainings=(*done, *map(lost, lost_seeds)),
        summary=summary,
    )


def pair(first: entrants.Entrant, second: entrants.Entrant, p: float = 0.2) -> record.Pair:
    seeds = [a.seed for a in first.finished if a.seed in {b.seed for b in second.finished}]
    tests = [
        SeedTest(seed=seed, only_first=900, only_second=1100, p_value=p / 2, corrected=p)
        for seed in seeds
    ]
    means = [one.summary.test_accuracy.mean for one in (first, second)]
    return record.Pair(
        first=first.name, second=second.name, difference=means[1] - means[0], tests=tuple(tests)
    )


def review(number: int, titles, words=("a", "good", "film"), printed=None) -> Review:
    ramp = tuple(np.linspace(0.1, 0.9, len(words)).tolist())
    readings = tuple(Reading(one, ramp, ramp, ramp, 0.5, 0.9, 0.0) for one in titles)
    row = 1000 + number
    return Review(number, f"test review {row:,}", 1, tuple(words), readings, printed or {})


def of(
    *entrants: entrants.Entrant,
    data=IMDB,
    comparable=None,
    p: float = 0.2,
    bag=0.8593,
    words=("a", "film"),
):
    """A record of these recipes."""
    comparable = data.source == "imdb" if comparable is None else comparable
    finished = [one for one in entrants if one.finished]
    by_name = {one.name: one for one in finished}
    pairs = [(finished[0], other) for other in finished[1:]]
    if {"sound-simple-rnn", "sound-lstm"} <= by_name.keys() and len(finished) > 2:
        pairs.append((by_name["sound-simple-rnn"], by_name["sound-lstm"]))
    shown = sorted(finished, key=lambda one: not one.name.startswith("sound"))[:2]
    said = {"SimpleRNN": 1, "LSTM": 0} if comparable else {}
    group = Group(
        name="0 to 50 ids",
        reviews=1000,
        accuracy={one.name: one.summary.test_accuracy.mean for one in finished},
    )
    return record.Record(
        origin=msgspec.structs.replace(ORIGIN, data=msgspec.to_builtins(data)),
        comparable=comparable,
        entrants=entrants,
        pairs=tuple(pair(a, b, p) for a, b in pairs),
        groups={"true length": (group,), "padding": (group,), "unknown words": (group,)},
        agreements=tuple(
            Agreed(first=a.name, second=b.name, pairs=1, share=0.8, kappa=0.6) for a, b in pairs
        ),
        sample=record.Sample(
            shown=tuple((one.name, 0) for one in shown),
            reviews=tuple(
                review(number, [one.title for one in shown], words, said if number == 1 else None)
                for number in range(1, 21)
            ),
        ),
        bag_of_words=bag,
    )


def default(seeds: int = 1, **options) -> record.Record:
    """The default run's record."""
    return of(
        *(
            entrant(name, [accuracy + 0.002 * seed for seed in range(seeds)])
            for name, accuracy in ACCURACY.items()
        ),
        **options,
    )

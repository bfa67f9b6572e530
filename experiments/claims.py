"""The notebook's claims, each put to the test over seeds and all test reviews.

python -m experiments.claims                   five trainings per seed, five seeds
python -m experiments.claims --run FOLDER      go on where a run was interrupted

In the folder of a comparison with the same options, its trainings are taken over, not repeated.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
from rich.console import Console
from rich.markdown import Markdown

from rnnsent import analysis, console, data, devices, evaluation, notebook, runs, training
from rnnsent.claims import CHANGED, CONDITIONS, Found, Results, criteria
from rnnsent.config import DataOptions, check_training, cli
from rnnsent.model import PRESETS, ModelConfig, summary
from rnnsent.report import cards, markdown, page, statistics
from rnnsent.report import claims as draw
from rnnsent.verdicts import verdict

QUICK_ROWS = (1_024, 256)


LAST = (5, 10, 20, 40, 80)
"""Words that are left at the end when the rest is masked out."""
REPLACED = (40, 80, 120)
"""Words at the start that are replaced by another review's."""
READ, WINDOW = 2_048, 10
"""Test reviews whose trajectories are looked at, and the words within which a move is local."""


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """Options of the claims."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """One training of each condition per seed."""
    epochs: int = 10
    """Passes over the training reviews; the SimpleRNN is also fitted twice as long."""
    batch_size: int = 512
    """Reviews in an optimizer step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    quick: bool = False
    """A tiny version: 1 epoch on the first 1,024 reviews. Its verdicts mean nothing."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where run folders are made."""
    run: pathlib.Path | None = None
    """Go on with this run folder: what it holds already is not done again."""

    def __post_init__(self):
        check_training(self.seeds, self.epochs, self.batch_size, self.learning_rate)


def main(options: Options) -> None:
    """Tests the notebook's claims about why its SimpleRNN and its LSTM differ."""
    devices.configure()
    if options.quick:
        options = dataclasses.replace(options, epochs=1)
    reviews = options.load()
    if options.quick:
        reviews = reviews.first(*QUICK_ROWS)
    provenance = runs.provenance(reviews)
    with runs.open_folder(options, reviews, provenance, "claims") as folder:
        console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
        console.say(f"If interrupted, go on with the same options and --run {folder}")
        _train_and_report(options, reviews, provenance, folder)


def _train_and_report(
    options: Options, reviews: data.Reviews, provenance: dict[str, Any], folder: pathlib.Path
) -> None:
    """All conditions, and the report on what did not diverge; ends with code 1 if some did."""
    found = {name: [] for name in CONDITIONS}
    # One object, so that the seeds share what is compiled.
    optimizer = training.optimizer(options.learning_rate)
    for seed in options.seeds:
        for name in CONDITIONS:
            found[name].append(_one(folder, name, seed, options, optimizer, reviews))
    lost = runs.diverged_text(f.trained for fs in found.values() for f in fs)
    seeds, found = _finite(options.seeds, found)
    if not seeds:
        raise SystemExit(f"error: {lost}; nothing is left to report. {runs.ADVICE}")
    options = dataclasses.replace(options, seeds=seeds)
    text, place = report(folder, options, reviews, provenance, found, lost)
    Console().print(Markdown(text))
    console.say(f"Everything is in {folder}; the report is {place / 'report.html'}")
    if lost:
        raise SystemExit(f"error: {lost}. {runs.ADVICE}")


def _finite(seeds: tuple[int, ...], found: Results) -> tuple[tuple[int, ...], Results]:
    """The seeds with which no condition diverged, for conditions are compared seed by seed."""
    by_seed = {name: dict(zip(seeds, fs, strict=True)) for name, fs in found.items()}
    lost = {s for fs in by_seed.values() for s, one in fs.items() if one.trained.diverged}
    kept = tuple(seed for seed in seeds if seed not in lost)
    return kept, {name: [fs[seed] for seed in kept] for name, fs in by_seed.items()}


def config(name: str, options: Options) -> ModelConfig:
    """The model of a condition."""
    condition = CONDITIONS[name]
    return dataclasses.replace(
        PRESETS[condition.preset],
        recurrent_dropout=condition.recurrent_dropout,
        vocab_size=options.num_words,
    )


def _one(
    folder: pathlib.Path,
    name: str,
    seed: int,
    options: Options,
    optimizer: optax.GradientTransformation,
    reviews: data.Reviews,
) -> Found:
    """Trains and measures one seed of a condition, or reads back what is finished."""
    condition, place = CONDITIONS[name], runs.seed_folder(folder, name, seed)
    trained = runs.train_seed(
        place,
        condition.title,
        config(name, options),
        optimizer,
        reviews,
        seed=seed,
        epochs=condition.epochs * options.epochs,
        batch_size=options.batch_size,
    )
    if trained.diverged:
        return Found(trained, {})
    path = place / "measured.json"
    if not path.exists():
        console.say(f"{condition.title} seed {seed}: looking inside")
        runs.write_json(path, measure(*runs.load_params(folder, name, seed), reviews))
    return Found(trained, runs.read_json(path))


def measure(config: ModelConfig, seed: int, params: Any, reviews: data.Reviews) -> dict[str, Any]:
    """What the claims need to know of one trained model, over the test reviews.

    ``last``, ``replaced`` and ``flips`` are over the first ``CHANGED`` of them.

    Returns:
      ``last`` and ``replaced``, by number of words: the accuracy, and the share of reviews whose
      predicted side is the same as with the whole review; ``flips``, see :class:`analysis.Flips`;
      ``reading``, see :func:`_reading`; ``fresh`` and ``trained``, the memory curves at
      initialisation and now, see :func:`statistics.memory_curves`.
    """
    # Nothing is dropped here: the conditions of a cell then share what is compiled.
    config = dataclasses.replace(config, dropout=0.0, recurrent_dropout=0.0)
    test, vocabulary = reviews.test, reviews.vocabulary
    ids_NT, label_N = test.ids_NT[:CHANGED], test.label_N[:CHANGED]

    def predict(ids_NT):
        return evaluation.probability(training.predict(config, params, ids_NT))

    def encode(sentence):
        return vocabulary.encode(sentence, config.vocab_size)[1:]

    whole_N = predict(ids_NT)

    def changed(changed_NT):
        said_N = predict(changed_NT) > 0.5
        right = float((said_N == (label_N == 1)).mean())
        return {"accuracy": right, "same": float((said_N == (whole_N > 0.5)).mean())}

    def replaced(words):  # the words of the same other review, however many
        return analysis.replace_first(ids_NT, words, np.random.default_rng(seed))

    fresh = training.create_state(config, training.optimizer(), seed).params
    return {
        "last": {k: changed(analysis.keep_last(ids_NT, k)) for k in LAST},
        "replaced": {k: changed(replaced(k)) for k in REPLACED},
        "flips": analysis.flips(predict, encode, ids_NT, whole_N)._asdict(),
        "reading": _reading(config, params, test),
        "fresh": statistics.memory_curves(config, fresh, test),
        "trained": statistics.memory_curves(config, params, test),
    }


def _reading(config: ModelConfig, params: Any, test: data.Split) -> dict[str, Any]:
    """What the probability does as the first ``READ`` test reviews are read.

    Returns:
      ``turns``, by number of words: the share of reviews whose predicted side still changed within
      that many before the end; ``jump``: the mean largest change within ``WINDOW`` words.
    """
    ids_BT = data.pack_rows(test.ids_NT[:READ])
    logits_BT = np.asarray(analysis.trajectory(config, params, ids_BT))
    length_B = (ids_BT != data.PAD).sum(1)
    jump_B = analysis.largest_jump(evaluation.probability(logits_BT), WINDOW)
    turns = {k: float(analysis.turns(logits_BT, length_B, k).mean()) for k in LAST}
    return {"turns": turns, "jump": float(jump_B.mean())}


def report(
    folder: pathlib.Path,
    options: Options,
    reviews: data.Reviews,
    provenance: dict[str, Any],
    found: Results,
    lost: str = "",
) -> tuple[str, pathlib.Path]:
    """Writes ``report.md``, ``report.html``, ``claims.json`` and figures.

    ``lost`` are trainings that diverged, whose seeds are in neither ``options`` nor ``found``.

    Returns:
      The Markdown, and the folder it went to: in a comparison's folder a part ``claims``, so that
      both reports stay.
    """
    place = folder / "claims" if (folder / "summary.json").exists() else folder
    test_title = reviews.provenance["test_title"]
    comparable = reviews.comparable
    draw.draw(found, place, reviews.provenance, comparable)
    params = {n: sum(row[2] for row in summary(config(n, options))) for n in notebook.TITLES}
    tested = criteria(found, reviews.test.label_N, params, comparable)
    nearest = {title: _nearest(found, cell, options) for cell, title in notebook.TITLES.items()}
    parts = [
        "# The notebook's claims, measured",
        markdown.heading(provenance),
        f"Seeds {', '.join(map(str, options.seeds))}; {options.epochs} epochs, fitted twice "
        f"{2 * options.epochs}.",
        *([_left_out(lost)] if lost else []),
        "## Verdicts",
        draw.verdicts(tested),
        draw.RULE,
        "## What was trained",
        draw.trainings(found, reviews.test.label_N, test_title, comparable),
        "![accuracy of every seed](figures/accuracy.png)",
        "![training loss and accuracy by epoch](figures/curves.png)",
        "## The cell and the recipe",
        draw.split(found, comparable),
        *(draw.claim(claim, criteria) for claim, criteria in tested.items()),
        *_insides(found),
        *_all_reviews(found, reviews, place),
        "## The notebook's twenty reviews",
        _cards_text(nearest),
        page.CARDS,
    ]
    text = "\n\n".join(parts) + "\n"
    (place / "report.md").write_text(text, encoding="utf-8")
    pair = {title: runs.load_params(folder, *where) for title, where in nearest.items()}
    html = page.render(parts[0].lstrip("# "), text, place, cards.sample(pair, reviews, comparable))
    (place / "report.html").write_text(html, encoding="utf-8")
    verdicts = {claim: {"verdict": verdict(cs), "criteria": cs} for claim, cs in tested.items()}
    runs.write_json(place / "claims.json", verdicts)
    return text, place


def _left_out(lost: str) -> str:
    return (
        f"**Seeds left out of all that follows:** {markdown.escape(lost)}; what is trained in "
        "several ways is compared seed by seed."
    )


def _insides(found: Results) -> list[str]:
    return [
        "## What the measurements look like",
        f"The changed reviews are the first {CHANGED:,} test reviews at most, the curves the first "
        f"{READ:,}, the gradients the first {statistics.MEMORY_REVIEWS}.",
        "![accuracy and steadiness with the last words only](figures/last.png)",
        "![accuracy and steadiness with the first words replaced](figures/replaced.png)",
        "![how often the predicted side still changes near the end](figures/turns.png)",
        draw.flips(found),
        "Gradients of the logit by words before the end, means over seeds: in the table median and "
        "mean over reviews, in the figure median and quartiles, untrained dashed.",
        statistics.memory_table(draw.curves(found, list(CONDITIONS))),
        "![gradient by distance from the end](figures/memory.png)",
    ]


def _all_reviews(found: Results, reviews: data.Reviews, place: pathlib.Path) -> list[str]:
    models = {CONDITIONS[name].title: [f.trained for f in fs] for name, fs in found.items()}
    test_title = reviews.provenance["test_title"]
    return [
        f"## All test reviews: {markdown.escape(test_title)}",
        statistics.calibrated(models, reviews.test, place, test_title),
        statistics.grouped(models, reviews.test),
        statistics.agreement(models),
    ]


def _cards_text(nearest: Mapping[str, tuple[str, int]]) -> str:
    chosen = [f"{CONDITIONS[name].title} with seed {seed}" for name, seed in nearest.values()]
    return (
        "Chosen by the notebook's rule; read by the trainings whose test accuracy is nearest to "
        f"the notebook's: {' and '.join(chosen)}."
    )


def _nearest(found: Results, cell: str, options: Options) -> tuple[str, int]:
    """Of a cell's trainings the one nearest to the notebook's accuracy: condition and seed."""
    names = [name for name, condition in CONDITIONS.items() if condition.preset == cell]
    _, name, seed = min(
        (abs(f.accuracy - 100 * notebook.TEST_ACCURACY[cell]), name, seed)
        for name in names
        for seed, f in zip(options.seeds, found[name], strict=True)
    )
    return name, seed


if __name__ == "__main__":
    cli(main, Options)

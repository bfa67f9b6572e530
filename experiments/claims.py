"""The notebook's claims, each put to the test over seeds and all test reviews.

python -m experiments.claims                   five trainings per seed, five seeds
python -m experiments.claims --run FOLDER      go on where a run was interrupted

In the folder of a comparison with the same options, its trainings are taken over, not repeated.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import optax
from rich.console import Console
from rich.markdown import Markdown

from rnnsent import analysis, console, data, devices, evaluation, notebook, runs, training
from rnnsent.config import DataOptions, cli, first_rows, require
from rnnsent.model import PRESETS, ModelConfig, summary
from rnnsent.report import cards, figures, markdown, page, statistics
from rnnsent.verdicts import Criterion, compare, shares, verdict

QUICK_ROWS = (1_024, 256)


@dataclasses.dataclass(frozen=True)
class Condition:
    """One way to train: ``epochs`` counts in units of ``--epochs``."""

    title: str
    preset: str
    recurrent_dropout: float
    epochs: int = 1


CONDITIONS: dict[str, Condition] = {
    "simple_rnn": Condition("SimpleRNN", "simple_rnn", 0.1),
    "lstm": Condition("LSTM", "lstm", 0.0),
    "simple_rnn-twice": Condition("SimpleRNN fitted twice", "simple_rnn", 0.1, epochs=2),
    "simple_rnn-plain": Condition("SimpleRNN without recurrent dropout", "simple_rnn", 0.0),
    "lstm-recurrent": Condition("LSTM with recurrent dropout", "lstm", 0.1),
}
"""The notebook's two recipes, the rest of the 2 x 2 of cell by recurrent dropout, and the SimpleRNN
fitted twice, which the notebook's cell numbers suggest."""


def _is_notebooks(condition: Condition) -> bool:
    """Whether the notebook may have trained like this (once or twice)."""
    return condition.recurrent_dropout == PRESETS[condition.preset].recurrent_dropout


LAST = (5, 10, 20, 40, 80)
"""Words that are left at the end when the rest is masked out."""
REPLACED = (40, 80, 120)
"""Words at the start that are replaced by another review's."""
CHANGED = 10_000
"""Test reviews that are read again with words masked, replaced or appended: the first of a shuffled
split. That leaves half a point of doubt in a share, where seeds differ by several."""
READ, WINDOW = 2_048, 10
"""Test reviews whose trajectories are looked at, and the words within which a move is local."""
LEARNED = 0.6
"""Test accuracy from which a training counts as having learned: a model at chance says the same of
every review, which would look steady."""
NEAR, FAR = slice(0, 10), slice(60, 100)
"""Words before the end whose gradients are set against each other."""


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """Options of the claims."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """One training of each condition per seed."""
    epochs: int = 10
    """Passes over the training reviews; the SimpleRNN is also fitted twice as long."""
    batch_size: int = 512
    """Reviews in an optimizer step."""
    quick: bool = False
    """A tiny version: 1 epoch on the first 1,024 reviews. Its verdicts mean nothing."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where run folders are made."""
    run: pathlib.Path | None = None
    """Go on with this run folder: what it holds already is not done again."""

    def __post_init__(self):
        require(self.epochs >= 1, f"--epochs is {self.epochs}; it must be at least 1.")
        require(self.batch_size >= 1, f"--batch-size is {self.batch_size}; it must be at least 1.")
        require(bool(self.seeds) and min(self.seeds) >= 0, "--seeds needs values of 0 or above.")
        require(len(set(self.seeds)) == len(self.seeds), "--seeds names one value twice.")


def main(options: Options) -> None:
    """Tests the notebook's claims about why its SimpleRNN and its LSTM differ."""
    devices.configure()
    if options.quick:
        options = dataclasses.replace(options, epochs=1)
    reviews = options.load()
    if options.quick:
        reviews = first_rows(reviews, *QUICK_ROWS)
    provenance = runs.provenance(reviews)
    console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
    folder = runs.open_folder(options, reviews, provenance, "claims")
    console.say(f"Interrupted, it goes on with: --run {folder}")
    found = {name: [] for name in CONDITIONS}
    optimizer = training.optimizer()  # one object, so that the seeds share what is compiled
    for seed in options.seeds:
        for name in CONDITIONS:
            found[name].append(_one(folder, name, seed, options, optimizer, reviews))
    text = report(folder, options, reviews, provenance, found)
    Console().print(Markdown(text))
    console.say(f"Everything is in {folder}; the report is {folder / 'report.html'}")


def config(name: str, options: Options) -> ModelConfig:
    """The model of a condition."""
    condition = CONDITIONS[name]
    return dataclasses.replace(
        PRESETS[condition.preset],
        recurrent_dropout=condition.recurrent_dropout,
        vocab_size=options.num_words,
    )


@dataclasses.dataclass(frozen=True)
class Found:
    """One training, and what was measured on it."""

    trained: runs.Trained
    measured: dict[str, Any]

    @property
    def accuracy(self) -> float:
        return self.trained.result["test_accuracy"]

    @property
    def learned(self) -> bool:
        return self.accuracy >= LEARNED

    @property
    def epoch_seconds(self) -> float:
        return float(np.median(self.trained.result["epoch_seconds"]))


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
    ids_BT = training.pack_rows(test.ids_NT[:READ])
    logits_BT = np.asarray(analysis.trajectory(config, params, ids_BT))
    length_B = (ids_BT != data.PAD).sum(1)
    jump_B = analysis.largest_jump(evaluation.probability(logits_BT), WINDOW)
    turns = {k: float(analysis.turns(logits_BT, length_B, k).mean()) for k in LAST}
    return {"turns": turns, "jump": float(jump_B.mean())}


Results = dict[str, list[Found]]


def vanishing(found: Found, state: str) -> float:
    """How much of the gradient is left far from the end: median over ``FAR`` by ``NEAR``."""
    median_D = np.asarray(found.measured[state]["x"])[1]
    far = median_D[FAR] if len(median_D) > FAR.start else median_D[-1:]
    return float(np.median(far) / max(np.median(median_D[NEAR]), 1e-30))


def criteria(found: Results, options: Options, reviews: data.Reviews) -> dict[str, list[Criterion]]:
    """The criteria of each of the notebook's claims."""
    slower, better, gradients, local, flips = notebook.CLAIMS
    return {
        slower: _slower(found, options),
        better: _better(found, reviews),
        gradients: _gradients(found),
        local: _local(found),
        flips: _flips(found),
    }


def _slower(found: Results, options: Options) -> list[Criterion]:
    seconds = compare(*([f.epoch_seconds for f in found[n]] for n in ("lstm", "simple_rnn")))
    params = {n: sum(row[2] for row in summary(config(n, options))) for n in ("lstm", "simple_rnn")}
    return [
        Criterion(
            "an epoch of the LSTM takes longer",
            seconds.text("LSTM", "SimpleRNN", " s"),
            seconds.higher,
        ),
        Criterion(
            "the LSTM has more parameters",
            f"{params['lstm']:,} against {params['simple_rnn']:,}",
            params["lstm"] > params["simple_rnn"],
        ),
    ]


def _better(found: Results, reviews: data.Reviews) -> list[Criterion]:
    tested = []
    for name in ("simple_rnn", "simple_rnn-twice"):
        right = [
            [evaluation.correct(f.trained.test_logits_N, reviews.test.label_N) for f in found[n]]
            for n in (name, "lstm")
        ]
        tests = [evaluation.mcnemar(a, b) for a, b in zip(*right, strict=True)]
        won = sum(t.p_value < 0.05 and t.only_second > t.only_first for t in tests)
        means = [_mean(found[n]) for n in ("lstm", name)]
        tested.append(
            Criterion(
                f"the LSTM is right more often than the {CONDITIONS[name].title} on the same "
                "reviews, with every seed (McNemar, p < 0.05)",
                f"{won} of {len(tests)} seeds; means {means[0]:.2f}% and {means[1]:.2f}%",
                won == len(tests),
            )
        )
    return tested


def _mean(found: list[Found]) -> float:
    return 100 * float(np.mean([f.accuracy for f in found]))


def _split(found: Results) -> list[Any]:
    """Per seed, the shares of cell and recipe in the gap between the notebook's recipes."""
    order = ("simple_rnn", "lstm-recurrent", "simple_rnn-plain", "lstm")
    corners = zip(*([100 * f.accuracy for f in found[n]] for n in order), strict=True)
    return [shares(*corner) for corner in corners]


def _gradients(found: Results) -> list[Criterion]:
    tested = []
    for state, title in (("fresh", "at initialisation"), ("trained", "after training")):
        groups = {"fresh": _all, "trained": _learned}[state]
        left = [
            [vanishing(f, state) for f in groups(found, cell)] for cell in ("lstm", "simple_rnn")
        ]
        test = compare(*left)
        tested.append(
            Criterion(
                f"{title}, less of a word's gradient is left {FAR.start} to {FAR.stop} words "
                "before the end in the SimpleRNN than in the LSTM",
                "ratio to the last ten words: " + test.text("LSTM", "SimpleRNN"),
                test.higher,
            )
        )
    split = _split(found)
    cell, gap = (float(np.mean([getattr(s, name) for s in split])) for name in ("cell", "gap"))
    tested.append(
        Criterion(
            "most of the gap in accuracy is the cell's, not the recurrent dropout's",
            f"{cell:.1f} of {gap:.1f} points",
            gap > 0 and cell > gap / 2,
        )
    )
    return tested


def _all(found: Results, cell: str) -> list[Found]:
    """One training of a cell per seed; at initialisation the recipe makes no difference."""
    return found[cell]


def _learned(found: Results, cell: str) -> list[Found]:
    """The trainings of a cell that learned, under whichever recipe."""
    names = [name for name, condition in CONDITIONS.items() if condition.preset == cell]
    return [f for name in names for f in found[name] if f.learned]


def _local(found: Results) -> list[Criterion]:
    rnn, lstm = _learned(found, "simple_rnn"), _learned(found, "lstm")
    last = compare(*([100 * f.measured["last"]["20"]["same"] for f in fs] for fs in (rnn, lstm)))
    first = compare(
        *([100 * (1 - f.measured["replaced"]["80"]["same"]) for f in fs] for fs in (lstm, rnn))
    )
    return [
        Criterion(
            "with only the last 20 words, the SimpleRNN keeps its prediction more often",
            last.text("SimpleRNN", "LSTM", "%"),
            last.higher,
        ),
        Criterion(
            "with its first 80 words replaced by another review's, the LSTM changes its "
            "prediction more often",
            first.text("LSTM", "SimpleRNN", "%"),
            first.higher,
        ),
    ]


def _flips(found: Results) -> list[Criterion]:
    rnn, lstm = _learned(found, "simple_rnn"), _learned(found, "lstm")
    turned = compare(*([100 * f.measured["flips"]["share"] for f in fs] for fs in (rnn, lstm)))
    many = [100 * f.measured["flips"]["share"] for f in rnn]
    return [
        Criterion(
            "a last sentence of the opposite sentiment turns the SimpleRNN's confident "
            "predictions more often than the LSTM's",
            turned.text("SimpleRNN", "LSTM", "%"),
            turned.higher,
        ),
        Criterion(
            "it turns at least a tenth of them (median over seeds)",
            f"{np.median(many):.1f}%" if many else "no SimpleRNN learned",
            bool(many) and float(np.median(many)) >= 10,
        ),
    ]


def report(
    folder: pathlib.Path,
    options: Options,
    reviews: data.Reviews,
    provenance: dict[str, Any],
    found: Results,
) -> str:
    """Writes ``report.md``, ``report.html`` and figures; returns the Markdown."""
    (folder / "figures").mkdir(exist_ok=True)
    tested = criteria(found, options, reviews)
    titles = {name: CONDITIONS[name].title for name in found}
    models = {titles[name]: [f.trained for f in fs] for name, fs in found.items()}
    test_title = reviews.provenance["test_title"]
    comparable = test_title == "IMDB test accuracy"
    _figures(folder, models, found, reviews.provenance, comparable)
    nearest = {title: _nearest(found, cell, options) for cell, title in notebook.TITLES.items()}
    chosen = [f"{titles[name]} with seed {seed}" for name, seed in nearest.values()]
    parts = [
        "# The notebook's claims, measured",
        markdown.heading(provenance),
        f"Seeds {', '.join(map(str, options.seeds))}; {options.epochs} epochs, fitted twice "
        f"{2 * options.epochs}. A claim is *supported* where all its criteria hold, *not "
        "supported* where none does, else *mixed*; figures of two groups of trainings are "
        "compared with a one-sided Mann-Whitney test at 0.05. Trainings count as having learned "
        f"from {100 * LEARNED:.0f}% test accuracy on.",
        "## Verdicts",
        verdicts_table(tested),
        "## What was trained",
        _accuracies(found, options, test_title, comparable),
        "![accuracy of every seed](figures/accuracy.png)",
        "![training loss and accuracy by epoch](figures/curves.png)",
        "## The cell and the recipe",
        _split_text(found),
        *(_claim_text(claim, criteria) for claim, criteria in tested.items()),
        "## What the measurements look like",
        "![accuracy and steadiness with the last words only](figures/last.png)",
        "![accuracy and steadiness with the first words replaced](figures/replaced.png)",
        _flips_table(found),
        "Gradients of the logit by words before the end, untrained dashed: quartiles over "
        f"{statistics.MEMORY_REVIEWS} test reviews, mean over seeds.",
        statistics.memory_table(_curves(found, CONDITIONS)),
        "![gradient by distance from the end](figures/memory.png)",
        f"## All test reviews: {test_title}",
        statistics.calibrated(models, reviews.test, folder, test_title),
        statistics.grouped(models, reviews.test),
        statistics.agreement(models),
        "## The notebook's twenty reviews",
        "Chosen by the notebook's rule; read by the trainings whose test accuracy is nearest to "
        f"the notebook's: {' and '.join(chosen)}.",
        page.CARDS,
    ]
    text = "\n\n".join(parts) + "\n"
    (folder / "report.md").write_text(text, encoding="utf-8")
    pair = {title: runs.load_params(folder, *where) for title, where in nearest.items()}
    html = page.render(parts[0].lstrip("# "), text, folder, cards.sample(pair, reviews, comparable))
    (folder / "report.html").write_text(html, encoding="utf-8")
    runs.write_json(
        folder / "claims.json",
        {claim: {"verdict": verdict(cs), "criteria": cs} for claim, cs in tested.items()},
    )
    return text


def _nearest(found: Results, cell: str, options: Options) -> tuple[str, int]:
    """Of a cell's trainings the one nearest to the notebook's accuracy: condition and seed."""
    names = [name for name, condition in CONDITIONS.items() if condition.preset == cell]
    _, name, seed = min(
        (abs(f.accuracy - notebook.TEST_ACCURACY[cell]), name, seed)
        for name in names
        for seed, f in zip(options.seeds, found[name], strict=True)
    )
    return name, seed


def verdicts_table(tested: dict[str, list[Criterion]]) -> str:
    """Each claim with its verdict and how many of its criteria hold."""
    rows = [
        (claim, f"**{verdict(criteria)}**", f"{sum(c.holds for c in criteria)} of {len(criteria)}")
        for claim, criteria in tested.items()
    ]
    return markdown.table(("the notebook says", "verdict", "criteria that hold"), rows)


def _claim_text(claim: str, criteria: list[Criterion]) -> str:
    rows = [(c.statement, c.measured, "yes" if c.holds else "no") for c in criteria]
    table = markdown.table(("what would have to be true", "measured", "holds"), rows)
    return f"## {claim}\n\nVerdict: **{verdict(criteria)}**.\n\n{table}"


def _accuracies(found: Results, options: Options, test_title: str, comparable: bool) -> str:
    rows = []
    for name, fs in found.items():
        condition = CONDITIONS[name]
        printed = markdown.percent(notebook.TEST_ACCURACY[condition.preset])
        rows.append(
            (
                condition.title,
                condition.epochs * options.epochs,
                condition.recurrent_dropout,
                markdown.percent(float(np.mean([f.trained.result["train_accuracy"] for f in fs]))),
                markdown.spread_text(evaluation.spread([f.accuracy for f in fs])),
                ", ".join(f"{100 * f.accuracy:.2f}" for f in fs),
                printed if comparable and _is_notebooks(condition) else "–",
            )
        )
    head = ("model", "epochs", "recurrent dropout", "training accuracy", test_title)
    return markdown.table((*head, "each seed, %", "notebook"), rows)


def _split_text(found: Results) -> str:
    split = _split(found)
    spreads = {
        part: evaluation.spread([getattr(s, part) for s in split])
        for part in ("gap", "cell", "recipe")
    }
    rows = [
        (title, _points(spreads[part]))
        for part, title in (
            ("gap", "LSTM minus SimpleRNN, the notebook's recipes"),
            ("cell", "of it, the cell"),
            ("recipe", "of it, the recurrent dropout"),
        )
    ]
    twice = evaluation.spread(
        [
            100 * (b.accuracy - a.accuracy)
            for a, b in zip(found["simple_rnn-twice"], found["lstm"], strict=True)
        ]
    )
    rows.append(("LSTM minus SimpleRNN fitted twice", _points(twice)))
    gap = 100 * (notebook.TEST_ACCURACY["lstm"] - notebook.TEST_ACCURACY["simple_rnn"])
    return (
        "The notebook gives recurrent dropout to the SimpleRNN only, so its gap mixes two things. "
        "Each share is the mean over the two orders of changing cell and recurrent dropout.\n\n"
        + markdown.table(("difference in points of accuracy", "mean ± std over seeds"), rows)
        + f"\n\nThe notebook printed a gap of {gap:.1f} points. "
        + _proportions(gap, spreads["gap"].mean, spreads["cell"].mean)
    )


def _proportions(printed: float, gap: float, cell: float) -> str:
    """The notebook's gap in the proportions measured here, if there was a gap to measure."""
    if gap <= 0:
        return "This run's is no gap in the LSTM's favour, so it cannot split it."
    share = cell / gap
    return (
        f"In the proportions measured here, {printed * share:.1f} of them are the cell's and "
        f"{printed * (1 - share):.1f} the recipe's."
    )


def _points(spread: evaluation.Spread) -> str:
    std = "" if spread.std is None else f" ± {spread.std:.1f}"
    return f"{spread.mean:+.1f}{std} ({spread.low:+.1f} to {spread.high:+.1f})"


def _flips_table(found: Results) -> str:
    rows = []
    for name, fs in found.items():
        shares_ = [f.measured["flips"]["share"] for f in fs if f.measured["flips"]["confident"]]
        confident = [f.measured["flips"]["confident"] for f in fs]
        said = f"{100 * np.mean(shares_):.1f}% ({len(shares_)} seeds)" if shares_ else "–"
        rows.append((CONDITIONS[name].title, f"{np.mean(confident):,.0f}", said))
    head = ("model", "confident reviews", "turned by a last sentence of the opposite sentiment")
    return markdown.table(head, rows)


def _curves(found: Results, names) -> dict[str, list[dict[str, np.ndarray]]]:
    out = {}
    for name in names:
        for state, suffix in (("fresh", ", untrained"), ("trained", "")):
            out[CONDITIONS[name].title + suffix] = [
                {quantity: np.asarray(rows) for quantity, rows in f.measured[state].items()}
                for f in found[name]
            ]
    return out


def _figures(folder, models, found: Results, provenance, comparable: bool) -> None:
    place, test_title = folder / "figures", provenance["test_title"]
    printed = {
        condition.title: notebook.TEST_ACCURACY[condition.preset]
        for condition in CONDITIONS.values()
        if comparable and _is_notebooks(condition)
    }
    figures.accuracies(
        {t: [s.result["test_accuracy"] for s in seeds] for t, seeds in models.items()},
        printed,
        place / "accuracy.png",
        test_title,
    )
    histories = {t: [seed.history for seed in seeds] for t, seeds in models.items()}
    figures.curves(histories, place / "curves.png", "training, dropout on")
    for name, xlabel in (("last", "last words read"), ("replaced", "first words replaced")):
        panels = {}
        for panel, key in (("accuracy", "accuracy"), ("same prediction as of the whole", "same")):
            panels[panel] = {
                CONDITIONS[n].title: (
                    [int(k) for k in fs[0].measured[name]],
                    [[at[key] for at in f.measured[name].values()] for f in fs],
                )
                for n, fs in found.items()
            }
        figures.lines(panels, place / f"{name}.png", xlabel, test_title)
    pair = _curves(found, ("simple_rnn-plain", "lstm", "simple_rnn-twice"))
    statistics.draw_memory(pair, place / "memory.png", provenance["title"])


if __name__ == "__main__":
    cli(main, Options)

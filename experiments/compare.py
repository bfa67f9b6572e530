"""The notebook's comparison: a SimpleRNN and an LSTM on the same reviews, side by side.

python -m experiments.compare                     both models, 10 epochs, one seed
python -m experiments.compare --seeds 0 1 2       with the spread over seeds
python -m experiments.compare --quick             a tiny version, to see it work
"""

import dataclasses
import pathlib
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.markdown import Markdown

from rnnsent import console, data, devices, evaluation, notebook, runs, training
from rnnsent.config import DataOptions, check_training, check_unique, cli
from rnnsent.model import PRESETS, ModelConfig, summary
from rnnsent.report import cards, figures, markdown, page, statistics

QUICK_ROWS = (2_560, 1_024)
QUICK_EPOCHS = 2


@dataclasses.dataclass(frozen=True)
class Options(DataOptions):
    """Options of the comparison."""

    models: tuple[Literal["simple_rnn", "lstm"], ...] = ("simple_rnn", "lstm")
    """Models to train."""
    seeds: tuple[int, ...] = (0,)
    """One training of each model per seed; everything random follows from it."""
    epochs: int = 10
    """Passes over the training reviews."""
    batch_size: int = 512
    """Reviews in an optimizer step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    quick: bool = False
    """A tiny version: 2 epochs on the first 2,560 reviews. Its numbers mean nothing."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where run folders are made."""
    run: pathlib.Path | None = None
    """Go on with this run folder: seeds it holds already are not trained again."""

    def __post_init__(self):
        check_unique("models", self.models)
        check_training(self.seeds, self.epochs, self.batch_size, self.learning_rate)
        runs.check_place(self.out, self.run)


def main(options: Options) -> None:
    """Trains the notebook's SimpleRNN and LSTM on the same reviews and reports how they differ."""
    devices.configure()
    if options.quick:
        options = dataclasses.replace(options, epochs=min(options.epochs, QUICK_EPOCHS))
    reviews = options.load()
    if options.quick:
        reviews = reviews.first(*QUICK_ROWS)
    provenance = runs.provenance(reviews)
    with runs.open_folder(options, reviews, provenance, "compare") as folder:
        console.say(f"Data: {reviews.provenance['source']} — {reviews.provenance['title']}")
        console.say(f"If interrupted, go on with the same options and --run {folder}")
        _train_and_report(options, reviews, provenance, folder)


def _train_and_report(
    options: Options, reviews: data.Reviews, provenance: dict[str, Any], folder: pathlib.Path
) -> None:
    """All models, and the report on what did not diverge; ends with code 1 if some did."""
    trained = _train(options, reviews, folder)
    lost = runs.diverged_text(one for seeds in trained.values() for one in seeds)
    trained = _finite(trained)
    if not trained:
        raise SystemExit(f"error: {lost}; nothing is left to report. {runs.ADVICE}")
    text = report(folder, options, reviews, provenance, trained, lost)
    Console().print(Markdown(text))
    console.say(f"Everything is in {folder}; the report is {folder / 'report.md'}")
    if lost:
        raise SystemExit(f"error: {lost}. {runs.ADVICE}")


def configs(options: Options) -> dict[str, ModelConfig]:
    """The models by name, with the vocabulary these options ask for."""
    vocab = {"vocab_size": options.num_words}
    return {name: dataclasses.replace(PRESETS[name], **vocab) for name in options.models}


def _train(
    options: Options, reviews: data.Reviews, folder: pathlib.Path
) -> dict[str, list[runs.Trained]]:
    """All seeds of all models, one after another."""
    optimizer = training.optimizer(options.learning_rate)
    return {
        name: [
            runs.train_seed(
                runs.seed_folder(folder, name, seed),
                notebook.TITLES[name],
                config,
                optimizer,
                reviews,
                seed=seed,
                epochs=options.epochs,
                batch_size=min(options.batch_size, len(reviews.train.names)),
            )
            for seed in options.seeds
        ]
        for name, config in configs(options).items()
    }


def _finite(trained: dict[str, list[runs.Trained]]) -> dict[str, list[runs.Trained]]:
    """The trainings that did not diverge; of each model, those of seeds that all have come first.

    So single trainings, each model's first, are of one seed where that can be.
    """
    finite = {n: [one for one in seeds if not one.diverged] for n, seeds in trained.items()}
    finite = {name: seeds for name, seeds in finite.items() if seeds}
    common = _common(finite)
    return {n: sorted(s, key=lambda one: _seed(one) not in common) for n, s in finite.items()}


def _seed(trained: runs.Trained) -> int:
    return trained.result["seed"]


def _common(trained: dict[str, list[runs.Trained]]) -> set[int]:
    """The seeds that all models have."""
    held = [{_seed(one) for one in seeds} for seeds in trained.values()]
    return set.intersection(*held) if held else set()


def report(
    folder: pathlib.Path,
    options: Options,
    reviews: data.Reviews,
    provenance: dict[str, Any],
    trained: dict[str, list[runs.Trained]],
    lost: str = "",
) -> str:
    """Writes ``report.md`` and its figures; returns the text.

    Args:
      folder: the run's.
      options: of the run.
      reviews: trained and measured on.
      provenance: of this command.
      trained: by model, the seeds that did not diverge, at least one; see :func:`_finite`.
      lost: the trainings that did, as :func:`runs.diverged_text` has them.
    """
    titles = {name: notebook.TITLES[name] for name in trained}
    test_title = reviews.provenance["test_title"]
    comparable = reviews.comparable
    rows = {name: _row(name, seeds, reviews) for name, seeds in trained.items()}
    pairs = {n: [one for one in s if _seed(one) in _common(trained)] for n, s in trained.items()}
    tests = _paired(pairs, reviews) if len(trained) == 2 else {}
    _figures(folder, trained, titles, test_title, comparable)
    models = {titles[name]: seeds for name, seeds in trained.items()}
    states = _states(folder, trained)
    curves = statistics.memory_by_title(states, reviews.test)
    statistics.draw_memory(curves, folder / "figures" / "memory.png", reviews.provenance["title"])
    parts = [
        "# " + " against ".join(titles.values()),
        markdown.heading(provenance),
        *_trained_where(folder, options),
        *([f"**Left out of all that follows:** {markdown.escape(lost)}."] if lost else []),
        "## Accuracy and time",
        markdown.accuracies(list(rows.values()), test_title, comparable),
        *([notebook.FITTED_TWICE] if "simple_rnn" in trained else []),
        "![accuracy of every seed](figures/accuracy.png)",
        "![training loss and accuracy by epoch](figures/curves.png)",
        "## The layers",
        markdown.layers({n: summary(c, options.maxlen) for n, c in configs(options).items()}),
    ]
    if tests:
        parts += [
            "## The same reviews, both models",
            "McNemar's exact test counts the test reviews that only one model gets right.",
            markdown.paired(tests, *titles.values()),
        ]
    parts += [
        f"## All test reviews: {markdown.escape(test_title)}",
        statistics.calibrated(models, reviews.test, folder, test_title),
        statistics.grouped(models, reviews.test),
        statistics.agreement({titles[name]: seeds for name, seeds in pairs.items()}),
        "## How far back the models look",
        "The norm of the gradient of the logit with respect to what was read or held, by words "
        f"before the end: quartiles over the first {statistics.MEMORY_REVIEWS} test reviews, mean "
        "over seeds.",
        statistics.memory_table(curves),
        "![gradient by distance from the end](figures/memory.png)",
        "## The notebook's remarks",
        markdown.remarks(_remarks(rows, tests) | _look_back(curves)),
        f"## Twenty reviews ({_shown(trained)})",
        "Chosen by the notebook's rule, `RandomState(25).choice(rows, 20, replace=False)`; ✗ marks "
        "a wrong prediction, ! an unknown word.",
        page.CARDS,
        markdown.sample(_sample(trained, reviews, comparable), titles),
    ]
    text = "\n\n".join(parts) + "\n"
    (folder / "report.md").write_text(text, encoding="utf-8")
    html = page.render(
        parts[0].lstrip("# "),
        text,
        folder,
        cards.sample({title: seeds[0] for title, seeds in states.items()}, reviews, comparable),
    )
    (folder / "report.html").write_text(html, encoding="utf-8")
    found = {"data": reviews.provenance, "accuracy": rows, "mcnemar": tests}
    runs.write_json(folder / "summary.json", found)
    return text


def _shown(trained: dict[str, list[runs.Trained]]) -> str:
    """The seed of each model's first training."""
    first = {notebook.TITLES[name]: _seed(seeds[0]) for name, seeds in trained.items()}
    if len(set(first.values())) == 1:
        return f"seed {next(iter(first.values()))}"
    return ", ".join(f"{title} seed {seed}" for title, seed in first.items())


def _states(
    folder: pathlib.Path, trained: dict[str, list[runs.Trained]]
) -> dict[str, list[tuple[ModelConfig, int, Any]]]:
    """By title, per seed: the configuration, the seed and the trained parameters."""
    return {
        notebook.TITLES[name]: [runs.load_params(folder, name, _seed(one)) for one in seeds]
        for name, seeds in trained.items()
    }


def _trained_where(folder: pathlib.Path, options: Options) -> list[str]:
    """A line on where the seeds come from, if not all from one revision and machine."""
    seeds = [runs.seed_folder(folder, name, s) for name in options.models for s in options.seeds]
    origins = [markdown.escape(origin) for origin in runs.origins(seeds)]
    return [f"**Trained in parts:** {'; '.join(origins)}."] if len(origins) > 1 else []


Curves = dict[str, list[dict[str, np.ndarray]]]
"""Per title, trained or "untrained", and seed: see :func:`statistics.memory_by_title`."""


def _row(name: str, seeds: list[runs.Trained], reviews: data.Reviews) -> dict[str, Any]:
    results = [seed.result for seed in seeds]
    epochs = [seconds for result in results for seconds in result["epoch_seconds"][1:]]
    epochs = epochs or [result["epoch_seconds"][0] for result in results]
    right_N = evaluation.correct(seeds[0].test_logits_N, reviews.test.label_N)
    return {
        "title": notebook.TITLES[name],
        "epochs": results[0]["epochs"],
        "seconds_per_epoch": sum(epochs) / len(epochs),
        "seconds": sum(r["training_seconds"] for r in results) / len(results),
        "train": evaluation.spread([r["train_accuracy"] for r in results]),
        "test": evaluation.spread([r["test_accuracy"] for r in results]),
        "train_loss": evaluation.spread([r["train_loss"] for r in results]),
        "test_loss": evaluation.spread([r["test_loss"] for r in results]),
        "interval": evaluation.bootstrap_interval(right_N),
        "notebook": notebook.TEST_ACCURACY[name],
    }


def _paired(pairs, reviews) -> dict[int, evaluation.McNemar]:
    tests = {}
    for both in zip(*pairs.values(), strict=True):
        right = [evaluation.correct(one.test_logits_N, reviews.test.label_N) for one in both]
        tests[_seed(both[0])] = evaluation.mcnemar(*right)
    return tests


def _figures(folder, trained, titles, test_title, comparable) -> None:
    (folder / "figures").mkdir(exist_ok=True)
    histories = {titles[n]: [seed.history for seed in seeds] for n, seeds in trained.items()}
    figures.curves(histories, folder / "figures" / "curves.png", "training, dropout on")
    values = {titles[n]: [s.result["test_accuracy"] for s in ss] for n, ss in trained.items()}
    references = {titles[n]: notebook.TEST_ACCURACY[n] for n in trained} if comparable else {}
    figures.accuracies(values, references, folder / "figures" / "accuracy.png", test_title)


def _remarks(rows: dict[str, Any], tests: dict[int, evaluation.McNemar]) -> dict[str, str]:
    """The notebook's remarks on loss, optimizer and the outcome beside this run's measurements."""

    def each(name: str, what) -> str:
        return "; ".join(f"{row['title']} {what(row[name])}" for row in rows.values())

    loss = "Binary cross-entropy is the loss, on a sigmoid output."
    adam = "Adam with its default rate, 0.001, is the optimizer."
    said = {
        loss: "The same, on logits. Nats on the test reviews, dropout off: "
        + each("test_loss", lambda s: f"{s.mean:.3f}"),
        adam: "The same, epsilon 1e-7. Accuracy on the training reviews, dropout off: "
        + each("train", markdown.spread_text),
    }
    slower, better, *_ = notebook.CLAIMS
    if len(rows) < 2:
        (row,) = rows.values()
        alone = f"Not measured by this run, which has the {row['title']} alone: "
        return said | {
            slower: f"{alone}{row['seconds_per_epoch']:.1f} s per epoch.",
            better: f"{alone}{markdown.spread_text(row['test'])} after {row['epochs']} epochs.",
        }
    return said | {slower: _slower(rows), better: _better(rows, tests)}


def _slower(rows: dict[str, Any]) -> str:
    ratio = rows["lstm"]["seconds_per_epoch"] / rows["simple_rnn"]["seconds_per_epoch"]
    return (
        f"An epoch of the LSTM takes {ratio:.1f} times as long; it has "
        f"{notebook.PARAMS['lstm']:,} parameters against {notebook.PARAMS['simple_rnn']:,} at the "
        "notebook's vocabulary."
    )


def _better(rows: dict[str, Any], tests: dict[int, evaluation.McNemar]) -> str:
    first, second = rows["simple_rnn"]["test"], rows["lstm"]["test"]
    significant = sum(t.p_value < 0.05 for t in tests.values())
    return (
        f"The LSTM is {100 * (second.mean - first.mean):+.2f} points from the SimpleRNN (mean over "
        f"{first.n} seed(s)); {significant} of {len(tests)} paired tests have p < 0.05. The "
        "SimpleRNN's recipe alone has recurrent dropout, so the gap is not the cell's alone."
    )


FAR, NEAR = 50, 10
"""Words before the end whose gradients are set against the last words'."""


def _look_back(curves: Curves) -> dict[str, str]:
    """The notebook's remarks on why the models differ, beside the gradients of this run."""

    def each(what) -> str:
        values = {title: np.mean([what(seed["x"]) for seed in s]) for title, s in curves.items()}
        return "; ".join(f"{title} {value:.2g}" for title, value in values.items())

    far = min(FAR, *(seed["x"].shape[1] - 1 for seeds in curves.values() for seed in seeds))
    median, mean = 1, 3  # rows of the curves
    vanishing, local, flips = notebook.CLAIMS[2:]
    cause = "Whether that is the cause needs trainings that differ in one thing: "
    return {
        vanishing: f"The logit's gradient with respect to the word {far} before the end, as a "
        f"multiple of the last word's (medians): {each(lambda x: x[median, far] / x[median, 0])}. "
        f"{cause}`python -m experiments.claims`.",
        local: f"Share of the last {NEAR} words in the gradient's norms over all words (1 = all): "
        f"{each(lambda x: x[mean, :NEAR].sum() / x[mean].sum())}.",
        flips: "Not measured by this run; `python -m experiments.claims` does.",
    }


def _sample(trained, reviews: data.Reviews, comparable: bool) -> list[dict[str, Any]]:
    chosen = notebook.sample_rows(len(reviews.test.names))
    p = {n: evaluation.probability(seeds[0].test_logits_N) for n, seeds in trained.items()}
    return [
        {
            "number": number,
            "row": row,
            "truth": int(reviews.test.label_N[row]),
            "probability": {name: p[name][row] for name in trained},
            "notebook": notebook.SAMPLE_PREDICTIONS.get(number, {}) if comparable else {},
            "text": reviews.vocabulary.decode(reviews.test.ids_NT[row]),
        }
        for number, row in enumerate(chosen.tolist(), start=1)
    ]


if __name__ == "__main__":
    cli(main, Options)

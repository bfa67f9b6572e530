"""Parts of a comparison as Markdown, for the terminal and for ``report.md``.

Everything here is text made from plain values; nothing is measured here. What others wrote (titles
of data, answers of the network, names of folders, words of reviews) enters through :func:`escape`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rnnsent import notebook
from rnnsent.evaluation import McNemar, Spread


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; vertical bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


_MARKS = {mark: f"\\{mark}" for mark in "\\`*_{}[]<>#!&~"} | {"|": "&#124;"}
"""What text becomes so that Markdown shows it; a table would take a bar's backslash off again."""


def escape(text: object) -> str:
    """Text that is not ours as Markdown shows it to the letter, on one line."""
    line = " ".join(str(text).split())
    shown = (c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return "".join(_MARKS.get(c, c) for c in shown)


def code(text: object) -> str:
    """Text that is not ours as a code span, in which nothing can be escaped."""
    line = " ".join(str(text).split())
    return f"`{line.replace('`', chr(39))}`"


def _escaped(content: Any) -> Any:
    """A JSON object with every text in it escaped."""
    if isinstance(content, dict):
        return {key: _escaped(value) for key, value in content.items()}
    return escape(content) if isinstance(content, str) else content


def percent(value: float) -> str:
    return f"{100 * value:.2f}%"


def spread_text(spread: Spread) -> str:
    """``84.45% ± 0.12 (84.30 to 84.60, n = 5)``; a single seed says that it is one."""
    if spread.n == 1:
        return f"{percent(spread.mean)} (one seed)"
    values = f"{100 * spread.low:.2f} to {100 * spread.high:.2f}, n = {spread.n}"
    return f"{percent(spread.mean)} ± {100 * spread.std:.2f} ({values})"


def seconds_text(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def heading(provenance: Mapping[str, Any]) -> str:
    """The first lines of every report: what the numbers rest on."""
    named = code(provenance["data"]["source"])
    provenance = _escaped(provenance)
    source = provenance["data"]
    machine = provenance["device"]
    versions = provenance["versions"]
    lines = [
        f"**Data: {named}** — {source['title']}. {source.get('reason', '')}".strip(),
        f"Vocabulary: {source['vocabulary']}; {source['num_words']:,} ids, {source['maxlen']} "
        f"steps, padding {source['padding']}, truncating {source['truncating']}.",
        f"Device: {machine['name']} ({machine['platform']}, {machine['devices']} JAX device(s)). "
        f"JAX {versions['jax']}, Flax {versions['flax']}, optax {versions['optax']}. "
        f"Revision {provenance['git'] or 'unknown'}. Started {provenance['started']}.",
    ]
    return "\n\n".join(lines)


def layers(summaries: Mapping[str, Sequence[tuple[str, str, int]]]) -> str:
    """The layer table of each model beside the notebook's counts."""
    parts = []
    for model, rows in summaries.items():
        printed = dict(notebook.LAYERS[model])
        body = [(name, shape, f"{n:,}", _count(printed.get(name))) for name, shape, n in rows]
        total = sum(n for *_, n in rows)
        body.append(("**total**", "", f"**{total:,}**", _count(notebook.PARAMS[model])))
        header = ("layer", "output", "parameters", "notebook")
        parts.append(f"### {notebook.TITLES[model]}\n\n{table(header, body)}")
    return "\n\n".join(parts)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def accuracies(rows: Sequence[Mapping[str, Any]], test_title: str, comparable: bool) -> str:
    """Per model: time, training accuracy, test accuracy, and the notebook's beside them."""
    body = [
        (
            row["title"],
            row["epochs"],
            f"{row['seconds_per_epoch']:.1f} s",
            seconds_text(row["seconds"]),
            spread_text(row["train"]),
            spread_text(row["test"]),
            f"{percent(row['interval'][0])} to {percent(row['interval'][1])}",
            percent(row["notebook"]),
        )
        for row in rows
    ]
    header = (
        "model",
        "epochs",
        "time per epoch",
        "training in all",
        "training reviews",
        escape(test_title),
        "95% over reviews (first seed)",
        "notebook (IMDB test)",
    )
    note = (
        "± is the sample standard deviation over seeds; the notebook's figures are one training "
        "each. Times are means over seeds, compilation included in the total."
    )
    if not comparable:
        note += (
            " **The notebook's figures are on the 25,000 IMDB test reviews and this run's are not: "
            "they stand side by side for orientation only.**"
        )
    return f"{table(header, body)}\n\n{note}"


def paired(tests: Mapping[int, McNemar], first: str, second: str) -> str:
    """McNemar's exact test per seed."""
    body = [
        (seed, f"{t.only_first:,}", f"{t.only_second:,}", f"{t.p_value:.3g}")
        for seed, t in tests.items()
    ]
    return table(("seed", f"only {first} right", f"only {second} right", "p (exact)"), body)


def sample(reviews: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """The reviews looked at one by one: a table of predictions, then the texts as read."""
    header = ["#", "row", "truth", *(f"{title} (p)" for title in titles.values())]
    header += [f"notebook's {title}" for title in titles.values()]
    body = [
        [
            review["number"],
            review["row"],
            _label(review["truth"]),
            *(_prediction(review["probability"][model], review["truth"]) for model in titles),
            *(_label(review["notebook"].get(model)) for model in titles),
        ]
        for review in reviews
    ]
    texts = [f"{review['number']}. {escape(review['text'])}" for review in reviews]
    return f"{table(header, body)}\n\n### The texts as the models saw them\n\n" + "\n".join(texts)


def _label(value: int | None) -> str:
    return {None: "–", 0: "negative", 1: "positive"}[value]


def _prediction(p: float, truth: int) -> str:
    said = int(p > 0.5)
    return f"{_label(said)} ({p:.2f})" + ("" if said == truth else " ✗")


def remarks(measured: Mapping[str, str]) -> str:
    """The notebook's remarks, each next to what this run measured, or that it did not."""
    return table(("the notebook says", "this run"), list(measured.items()))

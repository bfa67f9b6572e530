"""What all test reviews say of some trained models, as sections of a report.

Each function measures, draws into ``<run>/figures`` and returns Markdown.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnsent import analysis, evaluation, training
from rnnsent.data import OOV, START, Split
from rnnsent.evaluation import Group
from rnnsent.model import ModelConfig
from rnnsent.report import figures
from rnnsent.report.markdown import percent, table
from rnnsent.runs import Trained

LENGTHS = (0, 50, 100, 132, 200, 300, 500)
"""Edges of the bins of a review's true length, in ids."""
UNKNOWN = (0, 2, 5, 10, 15, 20)
"""Edges of the bins of unknown words, in percent of those read."""

Models = Mapping[str, Sequence[Trained]]
"""Finished trainings by title, one per seed."""


def calibrated(models: Models, test: Split, folder: pathlib.Path, caption: str) -> str:
    """Calibration of every seed: means in a table, the reliability curves in a figure."""
    found = {
        title: [evaluation.calibration(seed.test_logits_N, test.label_N) for seed in seeds]
        for title, seeds in models.items()
    }
    figures.reliability(found, folder / "figures" / "reliability.png", caption)
    rows = [
        (title, _pm([c.ece for c in seeds]), _pm([c.brier for c in seeds]))
        for title, seeds in found.items()
    ]
    head = ("model", "expected calibration error (10 bins)", "Brier score")
    return f"{table(head, rows)}\n\n![reliability curve of every seed](figures/reliability.png)"


def _pm(values: Sequence[float]) -> str:
    spread = evaluation.spread(list(values))
    return f"{spread.mean:.4f}" + ("" if spread.std is None else f" ± {spread.std:.4f}")


def grouped(models: Models, test: Split) -> str:
    """Accuracy by true length, place of padding and share of unknown words; means over seeds."""
    mask_NT = test.mask_NT
    words_N = np.maximum((mask_NT & (test.ids_NT != START)).sum(1), 1)
    unknown_N = 100 * (test.ids_NT == OOV).sum(1) / words_N

    def by_length(right_N: np.ndarray) -> list[Group]:
        return evaluation.by_bins(test.length_N, right_N, LENGTHS, " ids")

    def by_unknown(right_N: np.ndarray) -> list[Group]:
        return evaluation.by_bins(unknown_N, right_N, UNKNOWN, "%")

    def by_padding(right_N: np.ndarray) -> list[Group]:
        return evaluation.by_padding(mask_NT, right_N)

    parts = {
        "true length": by_length,
        "padding": by_padding,
        "unknown words": by_unknown,
    }
    return "\n\n".join(_groups(name, of, models, test) for name, of in parts.items())


def _groups(name: str, of, models: Models, test: Split) -> str:
    found = {
        title: [of(evaluation.correct(seed.test_logits_N, test.label_N)) for seed in seeds]
        for title, seeds in models.items()
    }
    groups = next(iter(found.values()))[0]
    rows = [
        (
            group.name,
            f"{group.reviews:,}",
            *(percent(float(np.mean([s[i].accuracy for s in seeds]))) for seeds in found.values()),
        )
        for i, group in enumerate(groups)
    ]
    return table((name, "reviews", *(f"{title}, accuracy" for title in found)), rows)


def agreement(models: Models) -> str:
    """How often two models (same seed), and two seeds of one model, say the same."""
    rows = []
    titles = list(models)
    for i, first in enumerate(titles):
        for second in titles[i + 1 :]:
            pairs = list(zip(models[first], models[second], strict=False))
            if pairs:
                rows.append((f"{first} and {second}, same seed", *_agree(pairs)))
        seeds = models[first]
        pairs = [(a, b) for j, a in enumerate(seeds) for b in seeds[j + 1 :]]
        if pairs:
            rows.append((f"{first}, two seeds", *_agree(pairs)))
    return table(("predictions of", "pairs", "same side", "Cohen's kappa"), rows)


def _agree(pairs: Sequence[tuple[Trained, Trained]]) -> tuple[str, str, str]:
    found = [evaluation.agreement(a.test_logits_N, b.test_logits_N) for a, b in pairs]
    kappas = [one.kappa for one in found if one.kappa is not None]
    kappa = f"{np.mean(kappas):.3f}" if kappas else "–"
    return str(len(pairs)), percent(float(np.mean([one.share for one in found]))), kappa


MEMORY_REVIEWS = 512
"""Test reviews whose gradients make a memory curve."""

QUANTILES = (25, 50, 75)


def memory_curves(config: ModelConfig, params: Any, test: Split) -> dict[str, np.ndarray]:
    """Per quantity of :func:`rnnsent.analysis.memory`, quantiles and mean over reviews (4, D).

    The rows are the quartiles 25, 50, 75 and the mean, over the reviews that are as long.
    """
    found = analysis.memory(config, params, test.ids_NT[:MEMORY_REVIEWS])
    return {name: _summary(norm_BD) for name, norm_BD in found.items()}


def _summary(norm_BD: np.ndarray) -> np.ndarray:
    longest = int(np.isfinite(norm_BD).any(0).sum())
    norm_BD = norm_BD[:, :longest]
    return np.concatenate(
        [np.nanpercentile(norm_BD, QUANTILES, axis=0), np.nanmean(norm_BD, axis=0)[None]]
    )


def memory_by_title(
    models: Mapping[str, Sequence[tuple[ModelConfig, int, Any]]], test: Split
) -> dict[str, list[dict[str, np.ndarray]]]:
    """The memory curves of every seed before (title and ", untrained") and after training.

    Args:
      models: by title, per seed: the configuration, the seed, the trained parameters.
      test: the reviews.
    """
    curves = {}
    for title, seeds in models.items():
        fresh = [training.create_state(c, training.optimizer(), s).params for c, s, _ in seeds]
        curves[f"{title}, untrained"] = [
            memory_curves(c, p, test) for (c, *_), p in zip(seeds, fresh, strict=True)
        ]
        curves[title] = [memory_curves(c, p, test) for c, _, p in seeds]
    return curves


MEMORY_PANELS = {
    "x": "the word read",
    "h 1": "the first layer's output",
    "h 2": "the second layer's output",
}


def draw_memory(
    curves: Mapping[str, Sequence[Mapping[str, np.ndarray]]],
    path: pathlib.Path,
    caption: str,
    colours: Mapping[str, int] | None = None,
) -> None:
    """The curves of several models by title, untrained and trained in turns.

    ``colours`` are by curve title, as in :func:`figures.memory`; by default in the order given.
    """
    panels = {
        panel: {t: [seed[name][:3] for seed in seeds] for t, seeds in curves.items()}
        for name, panel in MEMORY_PANELS.items()
    }
    figures.memory(panels, path, caption, colours or {t: i // 2 for i, t in enumerate(curves)})


DISTANCES = (0, 10, 20, 50, 100)


def memory_table(curves: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> str:
    """Norm of the logit's gradient with respect to a word by words before the end.

    Median (mean) over reviews; both are means over seeds.
    """
    longest = min(seed["x"].shape[1] for seeds in curves.values() for seed in seeds)
    at = [distance for distance in DISTANCES if distance < longest]
    rows = [
        (title, *(_median_and_mean([seed["x"][:, d] for seed in seeds]) for d in at))
        for title, seeds in curves.items()
    ]
    return table(("‖∂ logit / ∂ word‖, median (mean)", *(f"{d} before the end" for d in at)), rows)


def _median_and_mean(rows: Sequence[np.ndarray]) -> str:
    _, median, _, mean = np.mean(rows, axis=0)
    return f"{median:.2g} ({mean:.2g})"

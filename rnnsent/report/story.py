"""The sentences a comparison opens with: each follows from the record by a rule, or is left out."""

from rnnsent import notebook, reference
from rnnsent.compare.entrants import Entrant
from rnnsent.compare.record import Pair, Record
from rnnsent.comparison import SIGNIFICANCE
from rnnsent.evaluation import Spread
from rnnsent.report.numbers import counted, listed, p_value, percent, points, short

PRINTED = {"notebook-simple-rnn": "simple_rnn", "notebook-lstm": "lstm"}
"""Recipes of the notebook, and what :mod:`rnnsent.notebook` calls their models."""


def sentences(record: Record) -> list[str]:
    """Three or four sentences that anyone understands, fewer where the record has less to say."""
    told = [_notebook(record), _sound(record), _lstm(record)]
    told = [sentence for sentence in told if sentence]
    if not told:
        told = [_ranking(record)]
    if bag := _bag_of_words(record):
        told.append(bag)
    return told


def as_the_notebook(record: Record) -> bool:
    """Whether these are the notebook's reviews, read as it reads them."""
    return notebook.reads_alike(record.comparable, record.origin.data)


def printed(record: Record, entrant: Entrant) -> float | None:
    """The notebook's test accuracy of a recipe, where this run's can be set beside it."""
    own = entrant.shipped and entrant.name in PRINTED and as_the_notebook(record)
    return notebook.TEST_ACCURACY[PRINTED[entrant.name]] if own else None


def _notebook(record: Record) -> str:
    """What the notebook reported and what its recipes give here, beside what is stored of them.

    Its figures are on the IMDB test reviews: on other data they are not named.
    """
    own = [entrant for name in PRINTED if (entrant := record.shipped(name))]
    if not own:
        return ""
    titles = {e.name: f"its {notebook.TITLES[PRINTED[e.name]]}" for e in own}
    if not as_the_notebook(record):
        here = listed([f"{short(_accuracy(e))} with {titles[e.name]}" for e in own])
        return f"The notebook's recipes give {here} here, on reviews that are not its test reviews."
    reported = listed(
        [f"{percent(notebook.TEST_ACCURACY[PRINTED[e.name]])} with {titles[e.name]}" for e in own]
    )
    here = listed([_here(entrant) for entrant in own])
    stored = [reference.OVER_SEEDS[entrant.name] for entrant in own]
    spread = listed([str(one) for one in stored])
    fits = "".join(
        f"; {reference.AFTER_FIRST_FIT[e.name]} after {titles[e.name]}'s first fit"
        for e in own
        if e.name in reference.AFTER_FIRST_FIT
    )
    recipe, gives = ("recipe", "gives") if len(own) == 1 else ("recipes", "give")
    return (
        f"The notebook reported a test accuracy of {reported}; here its {recipe} {gives} {here} "
        f"({stored[0].seeds} seeds, measured on {stored[0].date} and not in this run: "
        f"{spread}{fits})."
    )


def _here(entrant: Entrant) -> str:
    first = entrant.results.first_fit_accuracy
    return short(_accuracy(entrant)) + ("" if first is None else f" (first fit: {short(first)})")


def _accuracy(entrant: Entrant) -> Spread:
    return entrant.results.test_accuracy


def _sound(record: Record) -> str:
    """What another start and training of the notebook's SimpleRNN changes."""
    sound, own = record.shipped("sound-simple-rnn"), record.shipped("notebook-simple-rnn")
    if sound is None or own is None:
        return ""
    return (
        f"Started and trained soundly, the SimpleRNN reaches {short(_accuracy(sound))}, "
        f"{_more(sound, own)} with the notebook's recipe{_tested(record, sound, own)}."
    )


def _lstm(record: Record) -> str:
    """What the LSTM is worth beside a SimpleRNN that is trained as soundly."""
    lstm, simple = record.shipped("sound-lstm"), record.shipped("sound-simple-rnn")
    if lstm is None or simple is None:
        return ""
    return (
        f"The LSTM, trained as soundly, reaches {short(_accuracy(lstm))}, "
        f"{_more(lstm, simple)} the SimpleRNN{_tested(record, lstm, simple)}."
    )


def _more(one: Entrant, other: Entrant) -> str:
    change = _accuracy(one).mean - _accuracy(other).mean
    if change == 0:
        return "the same as"
    return f"{points(change)} {'more' if change > 0 else 'less'} than"


def _tested(record: Record, one: Entrant, other: Entrant) -> str:
    """What McNemar's tests say of a difference; nothing where there are none."""
    pair = record.pair(one.name, other.name) or record.pair(other.name, one.name)
    return f", {_significance(pair)}" if pair and pair.tests else ""


def _significance(pair: Pair) -> str:
    found, tests = pair.significant(SIGNIFICANCE), len(pair.tests)
    if tests == 1:
        p = p_value(pair.tests[0].corrected)
        than = "which is more than chance" if found else "which may be chance"
        return f"{than} on these reviews ({p})"
    seeds = f"none of {tests} seeds" if not found else f"{found} of {tests} seeds"
    return f"a difference that is more than chance on these reviews for {seeds}"


def _ranking(record: Record) -> str:
    """What came out, of whatever was trained."""
    ranked = sorted(record.finished, key=lambda e: -_accuracy(e).mean)
    best, last = ranked[0], ranked[-1]
    seeds, reviews = counted(len(best.finished), "seed"), record.data.measured
    if len(ranked) == 1:
        return f"{best.title} classifies {short(_accuracy(best))} of the {reviews} right ({seeds})."
    most, fewest = ("most", "the fewest, ") if len(ranked) > 2 else ("more", "")
    return (
        f"Of {len(ranked)} recipes, {best.title} classifies {most} of the {reviews} right, "
        f"{short(_accuracy(best))} ({seeds}); {last.title} {fewest}{short(_accuracy(last))}"
        f"{_tested(record, best, last)}."
    )


def _bag_of_words(record: Record) -> str:
    """Where a model stands that knows the words and not their order."""
    if record.bag_of_words is None:
        return ""
    better = [e.title for e in record.finished if _accuracy(e).mean > record.bag_of_words]
    if not better:
        than = "none of the recipes here does better"
    elif len(better) == len(record.finished):
        than = "every recipe here does better"
    else:
        than = f"better than that {'is' if len(better) == 1 else 'are'} {listed(better)}"
    return (
        "A logistic regression on the same words without their order reaches "
        f"{percent(record.bag_of_words)}: {than}."
    )

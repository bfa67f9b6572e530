"""The notebook's claims as criteria: what would have to be true, decided from trainings."""

from collections.abc import Mapping

from rnnsent import notebook
from rnnsent.claims import insides, leads
from rnnsent.claims.criterion import Criterion, Results


def criteria(
    found: Results,
    tests: leads.Tests,
    parameters: Mapping[str, int],
    comparable: bool,
) -> dict[str, list[Criterion]]:
    """The criteria of each of the notebook's claims.

    Args:
      found: all conditions.
      tests: of those of ``leads.BEATEN`` against the LSTM.
      parameters: their number, of ``simple_rnn`` and ``lstm``.
      comparable: whether the notebook's accuracies can be set beside: its test reviews, read as
        it reads them, and nothing changed in what is trained.
    """
    slower, better, gradients, local, flips = notebook.CLAIMS
    return {
        slower: leads.slower(found, parameters),
        better: [*leads.better(found, tests), *leads.by_as_much(found, comparable)],
        gradients: [*insides.gradients(found), *insides.reach(found), *leads.cells_part(found)],
        local: insides.local(found),
        flips: [*insides.turned_more(found), *insides.turned(found)],
    }

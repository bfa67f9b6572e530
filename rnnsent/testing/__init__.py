"""One call that checks a cell of your own, for your own tests::

    from rnnsent.testing import check_cell

    def test_my_cell():
        print(check_cell(MyCell))

A few rows and steps of random inputs, from parameters a little away from their start, for zeros
hide mistakes. Deviations are the largest difference, as a share of the largest entry where that is
above one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rnnsent import contract
from rnnsent.cells import Cell
from rnnsent.errors import UserError
from rnnsent.testing import checks as _checks
from rnnsent.testing.case import Case, case_of
from rnnsent.testing.report import Check, Report

__all__ = ["CHECKS", "Check", "Report", "check_cell"]

CHECKS = ("contract", *_checks.KINDS)
"""Their names, in the order in which they are made."""


def check_cell(
    cell: type[Cell],
    *,
    features: int = 4,
    input_size: int = 3,
    options: Mapping[str, Any] | None = None,
    checks: Iterable[str] | None = None,
    raises: bool = True,
) -> Report:
    """Checks a cell for all that the rest of rnnsent takes for granted.

    Args:
      cell: the class.
      features: H, the width of its output.
      input_size: E, the width of its inputs.
      options: its hyper-parameters.
      checks: some of ``CHECKS``, all by default; leave ``gradients`` out for a gradient that is
        another on purpose (straight through a rounding).
      raises: whether a check that fails raises.

    Raises:
      AssertionError: with the report's text, if a check fails.
      ValueError: for a check that there is not.
    """
    wanted = set(CHECKS if checks is None else checks)
    if unknown := sorted(wanted - set(CHECKS)):
        raise ValueError(f"unknown checks {', '.join(unknown)}; expected {', '.join(CHECKS)}")
    name = f"{cell.__module__}:{cell.__qualname__}"
    broken = _contract(name, cell, features, input_size, options or {})
    found = [broken] if "contract" in wanted or broken.verdict == "failed" else []
    if broken.verdict == "failed":
        found += [_not_run(kind, "the contract comes first") for kind in _checks.KINDS]
    else:
        at_hand = case_of(cell(features=features, **(options or {})), input_size)
        found += [
            _checked(kind, at_hand) if kind in wanted else _not_run(kind, "left out")
            for kind in _checks.KINDS
        ]
    report = Report(name, tuple(found))
    if raises and report.failed:
        raise AssertionError(str(report))
    return report


def _contract(
    name: str, cell: type[Cell], features: int, input_size: int, options: Mapping[str, Any]
) -> Check:
    dropped = cell.drops_recurrence()
    try:
        made = cell(features=features, **options)
        contract.check_created(name, made, input_size, recurrent_dropout=dropped)
    except (UserError, TypeError) as error:
        return Check("contract", "failed", None, 0, str(error))
    return Check("contract", "passed", None, 0, "parameters, carry, step and output fit together")


def _not_run(name: str, why: str) -> Check:
    return Check(name, "not run", None, _checks.KINDS[name].tolerance, why)


def _checked(name: str, case: Case) -> Check:
    kind = _checks.KINDS[name]
    try:
        deviations = kind.deviations(case)
    except _checks.DoesNotApply as reason:
        return Check(name, "does not apply", None, kind.tolerance, str(reason))
    except Exception as error:  # a user's methods may fail in any way
        first = (str(error).strip().splitlines() or ["no message"])[0]
        says = f"not so: {kind.holds}; {type(error).__name__}: {first}"
        return Check(name, "failed", None, kind.tolerance, says)
    where = max(deviations, key=lambda at: deviations[at])
    if deviations[where] <= kind.tolerance:
        return Check(name, "passed", deviations[where], kind.tolerance, kind.holds)
    says = f"not so: {kind.holds}; worst: {where}. {kind.cause}"
    return Check(name, "failed", deviations[where], kind.tolerance, says)

"""What ``check_cell`` found, as data and as a table."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
      name: one of ``CHECKS``.
      verdict: passed, failed, does not apply, or not run.
      deviation: the largest that was measured, None where nothing was.
      tolerance: what it may be.
      says: what that means.
    """

    name: str
    verdict: str
    deviation: float | None
    tolerance: float
    says: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What ``check_cell`` found; ``str`` makes a table of it."""

    cell: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.verdict == "failed")

    def __str__(self) -> str:
        rows = [("check", "verdict", "deviation", "at most", "what it means")]
        for c in self.checks:
            measured = ("", "") if c.deviation is None else (f"{c.deviation:.1e}", f"{c.tolerance}")
            rows.append((c.name, c.verdict, *measured, c.says))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        widths[-1] = 0
        lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
        verdict = f"fails {', '.join(self.failed)}" if self.failed else "passes"
        return "\n".join((f"{self.cell} {verdict}", *lines))

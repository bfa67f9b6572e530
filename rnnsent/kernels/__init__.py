"""Implementations of the recurrence for particular cases, behind ``rnnsent.recurrence``."""

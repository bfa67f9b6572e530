"""Ways to run the recurrence over time, behind ``rnnsent.recurrence``."""

"""Short scripts, each one question with an answer.

Run them with ``python -m experiments.NAME`` or ``rnnsent NAME``.
"""

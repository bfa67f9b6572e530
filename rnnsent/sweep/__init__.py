"""Many recipes made of one, each trained over seeds, ranked on held-out training reviews.

``plan`` says which recipes, ``work`` and ``cluster`` who trains them, ``measure`` what came of
them as a ``record``, ``tables`` the same as one tidy table, and ``final`` reads the test reviews
once, for the recipe that was chosen.
"""

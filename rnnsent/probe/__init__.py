"""What a cell remembers, measured on small tasks whose answers lie far back.

``tasks`` draws them and says what counts as solved, ``model`` reads them with a recipe's cells,
``train`` trains all seeds of one as one program, ``measure`` follows growing lengths, and
``record`` is all of it as data, from which pages are drawn.
"""

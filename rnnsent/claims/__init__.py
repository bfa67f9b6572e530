"""The notebook's claims put to the test.

``conditions`` says what is trained, ``measure`` looks into each trained model, ``criteria`` decides
from both, and ``record`` is all of it as data, from which pages are drawn.
"""

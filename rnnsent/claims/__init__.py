"""The notebook's claims put to the test.

``conditions`` says what is trained, ``measure`` looks into each trained model, ``criteria`` decides
from both (``leads`` from times and accuracies, ``insides`` from what was seen inside), and
``record`` is all of it as data, from which pages are drawn.
"""

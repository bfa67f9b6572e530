"""The subjects of a benchmark: the same classifier in rnnsent, Flax, Keras and PyTorch.

Each takes the same weights, does the same work on the same rows, and is set up as fast as is
standard for it. torch, keras and tensorflow are imported inside functions only, each in the process
of its own subject (:mod:`rnnsent.peers.worker`): Keras has one backend per process, and threads and
memory are not shared.
"""

from rnnsent.peers.case import SUBJECTS, Case, Spec, Subject, build, missing, unavailable

__all__ = ["SUBJECTS", "Case", "Spec", "Subject", "build", "missing", "unavailable"]

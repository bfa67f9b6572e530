"""Time and memory of a training step and of inference: rnnsent, its peers, the machine's limit.

The subjects are the same classifier in rnnsent, Flax, Keras and PyTorch. Each takes the same
weights, does the same work on the same rows, and is set up as fast as is standard for it. torch,
keras and tensorflow are imported inside functions only, each in the process of its own subject
(:mod:`rnnsent.benchmark.worker`): Keras has one backend per process, and threads and memory are not
shared.
"""

from rnnsent.benchmark.case import SUBJECTS, Case, Spec, Subject, build, missing, unavailable

__all__ = ["SUBJECTS", "Case", "Spec", "Subject", "build", "missing", "unavailable"]

"""What a model reaches that knows which words a review holds and nothing of their order."""

import numpy as np
import scipy.sparse

from rnnsent.data import OOV, Reviews

C = 0.05  # by accuracy on the last fifth of the IMDB training reviews, among 0.01 to 1
"""Inverse strength of the L2 penalty."""


def bag_of_words(reviews: Reviews) -> float:
    """Accuracy on ``reviews.test`` of a logistic regression on the words of each row.

    It sees the very ids that the models see, cut to ``maxlen`` and ``num_words``, as a set: which
    known words stand in the row, not how often and where. It is fitted on ``reviews.train``.
    """
    from sklearn.linear_model import LogisticRegression

    num_words = reviews.encoding.num_words
    train_NV, test_NV = (words(part.ids_NT, num_words) for part in (reviews.train, reviews.test))
    model = LogisticRegression(C=C, max_iter=1000)
    model.fit(train_NV, reviews.train.label_N)
    return float(model.score(test_NV, reviews.test.label_N))


def words(ids_NT: np.ndarray, num_words: int) -> scipy.sparse.csr_array:
    """Which words stand in each row: float64 (N, num_words), 1 or 0; marks are no words."""
    row_M, step_M = np.nonzero(ids_NT > OOV)
    ones_M = np.ones(len(row_M))
    counts_NV = scipy.sparse.csr_array(
        (ones_M, (row_M, ids_NT[row_M, step_M])), (len(ids_NT), num_words)
    )
    counts_NV.sum_duplicates()
    counts_NV.data[:] = 1
    return counts_NV

import dataclasses

import numpy as np

from rnnsent import baseline, data


def test_a_row_is_the_set_of_its_words():
    ids_NT = np.array([[0, 1, 5, 2, 5], [4, 5, 0, 3, 0], [0, 0, 0, 0, 0]], np.int32)
    assert baseline.words(ids_NT, 6).toarray().tolist() == [
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0, 0],
    ]


def split(*rows: tuple[list[int], int]) -> data.Split:
    ids_NT = np.array([ids for ids, _ in rows], np.int32)
    label_N = np.array([label for _, label in rows], np.int32)
    return data.Split(ids_NT, label_N, tuple("abcdefgh"[: len(rows)]), data.lengths(ids_NT))


def test_words_that_tell_are_learned_and_their_order_is_not():
    toy = data.load("toy", data.Encoding(num_words=8, maxlen=3))
    train = split(*[([1, 4, 6], 1), ([1, 5, 6], 0)] * 4)
    test = split(([6, 4, 0], 1), ([0, 1, 5], 0), ([4, 4, 7], 1), ([5, 1, 6], 1))
    reviews = dataclasses.replace(toy, train=train, test=test)
    assert baseline.bag_of_words(reviews) == 0.75


def test_it_learns_the_toys_and_is_the_same_every_time():
    toy = data.load("toy", data.Encoding(maxlen=24))
    accuracy = baseline.bag_of_words(toy)
    assert 0.75 < accuracy < 1 and accuracy == baseline.bag_of_words(toy)


def test_it_measures_on_the_part_that_is_measured():
    toy = data.load("toy", data.Encoding(maxlen=24))
    turned = dataclasses.replace(toy.test, label_N=1 - toy.test.label_N)
    other = baseline.bag_of_words(dataclasses.replace(toy, test=turned))
    assert abs(baseline.bag_of_words(toy) + other - 1) < 1e-12

import numpy as np

from rnnsent import data

IDS_NT = np.array([[0, 5, 0, 3], [0, 0, 0, 0], [4, 2, 1, 7], [0, 0, 6, 2]], np.int32)


def test_real_ids_are_counted_wherever_they_stand():
    found_N = data.lengths(IDS_NT)
    assert found_N.tolist() == [2, 0, 4, 2] and found_N.dtype == np.int32


def test_packed_rows_begin_with_their_ids_in_order():
    packed_NT = data.pack_rows(IDS_NT)
    assert packed_NT.tolist() == [[5, 3, 0, 0], [0, 0, 0, 0], [4, 2, 1, 7], [6, 2, 0, 0]]
    assert packed_NT.dtype == np.int32

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnsent.data import vocabulary as v
from rnnsent.errors import UserError

WORDS = v.Vocabulary(("the", "it's", "bad", "naïve"), "test")


def test_tokenising_separates_at_keras_characters_and_keeps_apostrophes():
    assert v.tokenise("It's\tBAD -- so<br /><br />bad\n(very)!") == [
        "it's", "bad", "so", "br", "br", "bad", "very"
    ]  # fmt: skip


def test_only_ascii_letters_are_lower_cased_and_other_spaces_stay():
    assert v.tokenise("ÉTÉ Ünit a\u00a0b c\x85d") == ["ÉtÉ", "Ünit", "a\u00a0b", "c\x85d"]


def test_ids_follow_keras():
    assert WORDS.encode("The unheard BAD it's") == [1, 4, 6, 5]
    assert WORDS.encode("The bad", num_words=6) == [1, 4, 2]
    assert WORDS.encode("") == [1]


def test_decoding_skips_marks_and_shows_unknown_words():
    assert WORDS.decode([0, 0, 1, 4, 2, 6]) == "the ! bad"
    assert WORDS.decode([3, 8, 900]) == "! ! !"


@given(st.lists(st.sampled_from(WORDS.words)))
def test_known_words_survive_encoding_and_decoding(words):
    text = " ".join(words)
    assert WORDS.decode(WORDS.encode(text)) == text


@given(st.lists(st.integers(4, 7)), st.integers(4, 8))
def test_ids_survive_decoding_and_encoding_up_to_num_words(ids, num_words):
    limited = [i if i < num_words else 2 for i in ids]
    assert WORDS.encode(WORDS.decode(ids), num_words) == [1, *limited]


@given(st.text())
def test_no_text_breaks_the_encoding(text):
    words = v.tokenise(text)
    assert all(words) and not any(c in word for word in words for c in '!".,/<>\t\n ')
    assert v.Vocabulary(tuple(dict.fromkeys(words)), "test").decode(
        v.count([words], "test").encode(text)
    ).count(" ") == max(0, len(words) - 1)


def test_counting_ranks_by_count_then_alphabet():
    counted = v.count([["b", "a", "c"], ["c", "d"]], "two reviews")
    assert counted == v.Vocabulary(("c", "a", "b", "d"), "two reviews")
    assert counted.index == {"c": 4, "a": 5, "b": 6, "d": 7}


def test_a_word_index_is_read_only_if_its_checksum_fits(tmp_path):
    path = tmp_path / "index.json"
    path.write_text(json.dumps({"second": 2, "first": 1}))
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    assert v.read_word_index(path, md5).words == ("first", "second")
    with pytest.raises(UserError, match="not the published one: MD5 " + md5):
        v.read_word_index(path)
    with pytest.raises(UserError, match="Cannot read the word index .*No such file"):
        v.read_word_index(tmp_path / "missing.json")


def test_of_a_larger_file_no_more_is_read_than_tells_it_apart(tmp_path):
    path = tmp_path / "index.json"
    with path.open("wb") as file:
        file.truncate(2**43)  # without a block of the disk
    with pytest.raises(UserError, match="is not the published one"):
        v.read_word_index(path)

import pytest

from rnnsent import commandline, console
from rnnsent.errors import UserError


@pytest.mark.parametrize(
    "text, said",
    [
        ("a\x1b[31m b\x07", "a\ufffd[31m b\ufffd"),
        ("\u202eltr\u2066\u200b\x9b", "\ufffdltr\ufffd\ufffd\ufffd"),
        ("lines\nand\ttabs, ±, é, 電影", "lines\nand\ttabs, ±, é, 電影"),
        ("\r over", "\ufffd over"),
        ("\udcff", "\udcff"),
    ],
)
def test_what_would_steer_a_terminal_is_replaced(text, said):
    assert console.steady(text) == said


def test_what_is_said_and_an_error_steer_nothing(capsys):
    console.say("\x1b]0;mine\x07")
    with pytest.raises(SystemExit), commandline.ending():
        raise UserError("a name \x1b[2J")
    err = capsys.readouterr().err
    assert err == "\ufffd]0;mine\ufffd\nerror: a name \ufffd[2J\n"

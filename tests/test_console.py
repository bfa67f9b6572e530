import io

import pytest
from rich.console import Console

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


def test_a_bar_shows_names_to_the_letter():
    screen = Console(force_terminal=True, width=100, file=io.StringIO())
    with console.whole_progress(2.0, screen) as tell:
        tell(1.0, "[/red] mine", False)
    assert "[/red] mine" in screen.file.getvalue()
    assert [console.duration(seconds) for seconds in (7, 99, 150)] == ["7 s", "99 s", "2 min"]

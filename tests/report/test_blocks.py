import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report.hostile import HOSTILE, report
from rich.cells import cell_len
from rich.console import Console

from rnnsent.report import blocks, terminal
from rnnsent.report.blocks import Code, Heading, Items, Paragraph, Strong, Table


def shown(report, width=80) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor"
    )
    with console.capture() as got:
        terminal.show(report, console)
    return got.get()


def letters(report, width=80) -> str:
    """What a terminal shows, without its colours and line ends."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as got:
        terminal.show(report, console)
    return got.get()


def test_a_text_is_its_parts_in_a_row():
    parts = ["see ", Strong("this "), "or ", Code("a  b"), "\tnow\n"]
    assert blocks.plain(parts) == "see thisor a b now"
    assert blocks.plain("a\x1b[2Jb\u202ec") == "a\ufffd[2Jb\ufffdc"


def test_a_table_needs_rows_as_long_as_its_header():
    with pytest.raises(ValueError, match="need 2 entries"):
        Table(("a", "b"), [("1",)])
    with pytest.raises(ValueError, match="need 2 entries"):
        Table(("a", "b"), [("1", "2")], align="l")


def test_the_terminal_shows_texts_to_the_letter():
    joined = "".join(letters([Paragraph(HOSTILE)]).split())
    assert joined == "".join(HOSTILE.split())
    printed = shown(report("\x1b]8;;http://evil.example\x07click\x1b[2J"))
    assert "\x1b]8" not in printed and "\x1b[2J" not in printed and "\x07" not in printed


@given(st.lists(st.text(max_size=30), min_size=1, max_size=9), st.integers(20, 100))
def test_nothing_on_the_terminal_is_wider_than_it(cells, width):
    made = [Heading(2, cells[0]), Paragraph(cells), Items(cells), Table(cells, [cells] * 2)]
    assert max(map(cell_len, letters(made, width).split("\n"))) <= width


def test_a_table_that_does_not_fit_stands_row_below_row():
    wide = Table([f"column-{i}" for i in range(12)], [[f"value-{i}" for i in range(12)]])
    lines = [line.rstrip() for line in letters([wide]).split("\n")]
    assert "value-0" in lines and "  column-11: value-11" in lines
    fits = Table(("recipe", "accuracy"), [("LSTM", "84.56%")])
    assert "LSTM       84.56%" in letters([fits])


def test_a_name_is_whole_beside_what_can_be_wrapped():
    head = (
        "model",
        "validation accuracy, 205 of the 1,024 training reviews",
        "loss (nats)",
    )
    said = letters([Table(head, [("sound-simple-rnn+epochs=2", "92.20%", "0.5186")])], 56)
    (line,) = [line for line in said.splitlines() if "92.20%" in line]
    assert line.split() == ["sound-simple-rnn+epochs=2", "92.20%", "0.5186"]


WORDS = st.text("abc", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), st.integers(30, 90))
def test_a_table_breaks_no_word(columns, width):
    head, row = zip(*columns, strict=True)
    words = letters([Table(head, [row])], width).replace(":", " ").split()
    assert {word for text in (*head[1:], *row) for word in text.split()} <= {*words}


NAME = "sound-simple-rnn+features=8,4+learning_rate=1e-05+schedule=cosine+clip=1.0+cell=a-bc"


@pytest.mark.parametrize("width", range(24, 90, 3))
def test_a_name_wider_than_the_terminal_goes_on_at_a_joint_and_no_number_is_broken(width):
    row = Table((NAME, "accuracy"), [(NAME, "84.56%"), ("other", NAME)])
    report = [Paragraph(["mine, ", Code(NAME), ", is it"]), Items([NAME]), row]
    lines = [line.strip() for line in letters(report, width).splitlines()]
    assert "".join(lines).replace(" ", "").count(NAME) == 4
    begun = [line for line in lines if any(line.startswith(part) for part in NAME.split("+")[1:])]
    assert begun == [], "what is set begins with its sign"
    parts = ("learning_rate=1e-05", "features=8,4", "clip=1.0")
    assert all(sum(part in line for line in lines) == 4 for part in parts)

import msgspec
import pytest
from compare.made import DIVERGENCE
from sweep import made

from rnnsent.report import markdown, sweep
from rnnsent.sweep.final import Final, Tested

BASE, BEST, LOST = ({}, [0.5, 0.6]), ({"dropout": 0.3}, [0.7, 0.8]), ({"clip": 9.5}, [0.9, None])
FINAL = Final(name="mine", digest="0", seeds=(0, 1), opened="2026-11-26T10:00:00+00:00")


def text(record, final=None):
    return " ".join(markdown.render(sweep.blocks(record, final)).split())


def test_the_best_is_named_and_what_its_figure_is_worth():
    said = text(made.of(BASE, BEST))
    assert "# 2 recipes that differ in dropout" in said
    assert "**dropout 0.3** is best: 75.00% ± 7.07, the base 55.00% ± 7.07" in said
    assert "too high. The test reviews were not read." in said
    assert said.count("test reviews") == 1, "only of those that were not read"
    assert "80 reviews to train on, 20 to measure on" in said
    assert "+20.00" in said and "toy <task>" not in said and "toy" in said


def test_what_diverged_stands_apart():
    said = text(made.of(BASE, LOST))
    assert "## one member without a rank" in said and "1 in epoch 2" in said and "90.00%" in said
    assert "**the base** is best" in said


def test_the_step_is_named_and_what_to_try_in_the_sweeps_file():
    said = text(made.of(BASE, ({"clip": 0.0}, [0.9, None]), divergence=DIVERGENCE))
    assert f"1 in {DIVERGENCE.place}" in said
    assert "Try clip 1" in said and "a lower learning\\_rate" in said


def test_where_a_nan_first_arises_is_said_where_it_was_looked_for():
    asked = msgspec.structs.replace(DIVERGENCE, first_nan="the first NaN is of log, cell.py:7")
    for found, count in ((asked, 1), (DIVERGENCE, 0)):
        said = text(made.of(BASE, ({"clip": 0.5}, [0.9, None]), divergence=found))
        assert said.count("clip 0.5, seed 1: largest gradient") == count
        assert said.count("the first NaN is of log, cell.py:7") == count


def test_where_everything_diverged_that_is_said(tmp_path):
    record = made.of(({}, [None]), ({"clip": 1.5}, [None]))
    sweep.write(record, None, tmp_path)
    assert "none is chosen" in (tmp_path / "report.md").read_text()
    assert not (tmp_path / "figures").exists()


def test_beyond_so_many_members_the_table_has_the_best_and_the_base():
    others = [({"dropout": i / 100}, [0.6 + i / 1000]) for i in range(20, 60)]
    (table,) = [b for b in sweep.blocks(made.of(({}, [0.5]), *others)) if b.kind == "table"]
    assert len(table.rows) == sweep.SHOWN + 1 and table.rows[-1][0] == "the base"
    assert "10 more members in table.csv" in text(made.of(({}, [0.5]), *others))


@pytest.mark.parametrize(
    "tested, said",
    [
        ((), "and not finished since"),
        (
            (
                Tested(seed=0, accuracy=0.8, loss=0.5, diverged=None),
                Tested(seed=1, accuracy=None, loss=None, diverged=3),
            ),
            "**toy accuracy: 80.00%**, mine.",
        ),
        ((Tested(seed=0, accuracy=None, loss=None, diverged=3),), "**toy accuracy: diverged**"),
    ],
)
def test_the_test_reviews_have_a_part_of_their_own(tested, said):
    final = msgspec.structs.replace(FINAL, tested=tested, test_title="toy accuracy", title="all")
    assert said in text(made.of(BASE, BEST), final)


def test_parts_of_several_machines_are_told():
    record = made.of(BASE, BEST)
    origin = msgspec.structs.replace(record.origin, parts=("here", "there"))
    record = msgspec.structs.replace(record, origin=origin)
    assert "**Trained in parts:** here; there." in text(record)


def test_every_kind_of_field_is_drawn(tmp_path):
    record = made.of(
        BASE,
        ({"cell": "gru", "learning_rate": 1.0}, [0.7, 0.8]),
        ({"features": [8, 4], "cell_options": {"leak": 1}}, [0.7, None]),
    )
    sweep.write(record, FINAL, tmp_path)
    assert (tmp_path / "figures" / "varied.png").read_bytes()[:4] == b"\x89PNG"
    assert "varied.png" in (tmp_path / "report.md").read_text()

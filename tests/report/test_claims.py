"""The claims' page on made-up records."""

import msgspec
import pytest
from claims_world import AS_CLAIMED, AS_MEASURED, record, results, row, training

from rnnsent import notebook
from rnnsent.report import blocks, insides, markdown
from rnnsent.report import claims as report


def text(*made):
    return markdown.render(made)


def told(found, comparable=True):
    """What is said of the cell's share."""
    return text(*report.split(record(found, comparable)))


def test_the_gap_splits_into_cell_and_recipe():
    found = results(AS_MEASURED)
    assert "Of the 7.3 points that the notebook printed, 3.4 are the cell's" in told(found)
    assert "3.9 the recipe's" in told(found)
    assert "not its" in told(found, comparable=False)


@pytest.mark.parametrize("plain, words", [(0.86, "none of them"), (0.7, "all of them")])
def test_a_share_outside_of_the_gap_is_put_into_words(plain, words):
    assert words in told(results(AS_MEASURED | {"simple_rnn-plain": plain}))


def test_the_tables_say_how_many_hold_and_how_many_learned():
    made = record(results(AS_MEASURED | {"simple_rnn-twice": 0.5}, **AS_CLAIMED), False)
    table = report.verdicts(made.claims)
    assert [row[0] for row in table.rows] == list(notebook.CLAIMS)
    assert "2 untested" in table.rows[1][2]
    trained = report.trainings(made)
    assert any("± spread over seeds" in head for head in trained.header)
    (twice,) = [row for row in trained.rows if row[0] == "SimpleRNN fitted twice"]
    assert "0 of 5" in twice
    assert text(insides.flips(made.rows)).count("50.0%") == 3


def test_the_page_has_its_figures_and_cards(tmp_path):
    report.write(record(results(AS_MEASURED)), tmp_path)
    page, shown = ((tmp_path / f"report.{kind}").read_text("utf-8") for kind in ("html", "md"))
    assert page.count("<article") == 1
    assert page.count("data:image/png") == shown.count("](figures/") == 7
    assert page.count("<img") == page.count("data:image/png")
    assert "<task>" not in page and "<b>film" not in page


def test_further_recipes_stand_in_tables_and_figures_but_in_no_criterion(tmp_path):
    made = record(results(AS_MEASURED))
    guest = row("mine", [training(0.8, seed) for seed in (0, 1)])
    more = msgspec.structs.replace(made, rows=made.rows | {"mine": guest})
    drawn = report.write(more, tmp_path)
    tables = [block for block in drawn if isinstance(block, blocks.Table)]
    named = [table for table in tables if "mine" in text(table)]
    assert len(named) >= 5
    assert more.claims == made.claims


def test_what_diverged_is_named_and_what_to_try():
    lost, advice = "LSTM seed 3 diverged in epoch 1", "Try --clip 1."
    said = text(*report.blocks(record(results(AS_MEASURED), lost=lost, advice=advice)))
    assert lost in said and "seed by seed. Try --clip 1." in said

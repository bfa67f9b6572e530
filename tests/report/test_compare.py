import io
import re

import msgspec
import pytest
from compare import made
from markdown_it import MarkdownIt
from report.hostile import HOSTILE
from rich.console import Console

from rnnsent.report import compare, markdown, page, reviews, story, terminal
from rnnsent.report.blocks import Cards, Figure, Table, plain


def terminal_text(report) -> str:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as got:
        terminal.show(report, console)
    return got.get()


def test_the_default_run_opens_with_the_story():
    assert story.sentences(made.default(p=1e-9)) == [
        "The notebook reported a test accuracy of 76.70% with its SimpleRNN and 84.04% with its "
        "LSTM; here its recipes give 60.00% (first fit: 55.00%) and 84.00% (5 seeds, measured on "
        "24 November 2026 and not in this run: 65.15% ± 9.88 and 84.56% ± 0.33; 57.81% ± "
        "8.42 after its SimpleRNN's first fit).",
        "Started and trained soundly, the SimpleRNN reaches 85.50%, 25.50 points more than with "
        "the notebook's recipe, which is more than chance on these reviews (p < 0.001).",
        "The LSTM, trained as soundly, reaches 85.70%, 0.20 points more than the SimpleRNN, which "
        "is more than chance on these reviews (p < 0.001).",
        "A logistic regression on the same words without their order reaches 85.93%: none of the "
        "recipes here does better.",
    ]


def test_what_may_be_chance_is_called_so():
    *_, lstm, _ = story.sentences(made.default(p=0.2))
    assert "0.20 points more than the SimpleRNN, which may be chance" in lstm
    *_, lstm, _ = story.sentences(made.default(seeds=3, p=0.01))
    assert "more than chance on these reviews for 3 of 3 seeds" in lstm and "±" in lstm


def test_a_lstm_that_is_worse_is_said_to_be():
    worse = [made.entrant("sound-simple-rnn", [0.86]), made.entrant("sound-lstm", [0.85])]
    assert "reaches 85.00%, 1.00 points less than" in story.sentences(made.of(*worse))[0]
    same = [made.entrant("sound-lstm", [0.85]), made.entrant("sound-simple-rnn", [0.85])]
    (told, bag) = story.sentences(made.of(*same))
    assert "the same as the SimpleRNN, which may be chance" in told


@pytest.mark.parametrize(
    "data, comparable",
    [
        (made.HELD_OUT, False),
        (made.IMDB, False),
        (msgspec.structs.replace(made.IMDB, maxlen=50), True),
        (msgspec.structs.replace(made.IMDB, padding="post"), True),
    ],
)
def test_on_other_data_nothing_stands_beside_the_notebooks_accuracy(data, comparable):
    report = compare.blocks(made.default(data=data, comparable=comparable))
    text = markdown.render(report)
    for figure in ("76.70", "84.04", "65.15", "84.56", "24 November"):
        assert figure not in text
    assert "on reviews that are not its test reviews" in text


def test_a_recipe_that_is_not_the_shipped_one_is_not_the_notebooks():
    changed = made.entrant("notebook-lstm", [0.8], shipped=False, title="notebook-lstm, clip=1")
    told = story.sentences(made.of(changed, bag=None))
    assert told == ["notebook-lstm, clip=1 classifies 80.00% of the test reviews right (one seed)."]
    assert "84.04" not in markdown.render(compare.blocks(made.of(changed)))


def test_what_was_measured_on_held_out_training_reviews_is_not_called_test_reviews():
    held_out = msgspec.structs.replace(made.IMDB, validation=0.2)
    own = [made.entrant("mine", [0.7, 0.8]), made.entrant("b", [0.6, 0.5])]
    report = compare.blocks(made.of(*own, data=held_out, comparable=False))
    text = markdown.render(report)
    assert "test reviews" not in text and text.count("validation reviews") >= 4


def test_the_best_epochs_are_named_where_reviews_are_held_out():
    losses, one = (0.5, 0.3, 0.4), made.entrant("mine", [0.7, 0.8])
    epochs = tuple(
        msgspec.structs.replace(
            one.trainings[0].epochs[0], validation_loss=loss, validation_accuracy=1 - loss
        )
        for loss in losses
    )
    first = msgspec.structs.replace(one.trainings[0], epochs=epochs)
    one = msgspec.structs.replace(one, trainings=(first, *one.trainings[1:]))
    assert (first.best, one.trainings[1].best) == (2, None)
    text = markdown.render(compare.blocks(made.of(one)))
    (line,) = [line for line in text.splitlines() if "2 of 3" in line]
    assert re.sub(" +", " ", line) == "| mine | 0 | 2 of 3 | 70.00% | 0.300 |"
    assert "best epoch" not in markdown.render(compare.blocks(made.default()))


def test_any_recipes_have_an_opening():
    own = [made.entrant("mine", [0.7, 0.8]), made.entrant("b", [0.6]), made.entrant("c", [0.9])]
    told, bag = story.sentences(made.of(*own, bag=0.75))
    assert told == (
        "Of 3 recipes, c classifies most of the test reviews right, 90.00% (one seed); b the "
        "fewest, 60.00%."
    )
    assert bag.endswith("reaches 75.00%: better than that is c.")
    every = story.sentences(made.of(*own, bag=0.5))[-1]
    assert every.endswith("every recipe here does better.")
    assert len(story.sentences(made.of(*own, bag=None))) == 1


def test_a_seed_is_no_count():
    """A table with a bare 0 of the seed 0 would read as: no seeds."""
    for seeds, words in ((1, "seed 0"), (3, "seeds 0, 1, 2")):
        report = compare.blocks(made.default(seeds=seeds))
        (table,) = [b for b in report if isinstance(b, Table) and "trained with" in b.header]
        column = table.header.index("trained with")
        assert {plain(row[column]) for row in table.rows} == {words}


def test_the_first_table_fits_80_columns():
    seeds = made.default(seeds=5)
    lines = terminal_text(compare.blocks(seeds)[:7]).splitlines()
    assert max(map(len, lines)) <= 80
    first = next(b for b in compare.blocks(seeds) if isinstance(b, Table))
    assert [plain(cell) for cell in first.header] == ["recipe", "accuracy", "s/epoch", "epochs"]
    shown = [plain(cell) for cell in first.rows[0]]
    assert shown == ["SimpleRNN, notebook", "60.40% ± 0.32", "5.5", "2 x 10"]
    assert any(re.match("SimpleRNN, notebook +60.40% ± 0.32 +5.5 +2 x 10", x) for x in lines)


def figures_of(report) -> list[Figure]:
    return [block for block in report if isinstance(block, Figure)]


def records():
    user = made.entrant("my_cells:Minimal", [0.7, 0.72, 0.71], lost_seeds=(3,), gain=0.9)
    broken = made.entrant("broken", [], lost_seeds=(0, 1))
    return {
        "default": made.default(),
        "five seeds": made.default(seeds=5),
        "other data": made.default(data=made.HELD_OUT, bag=None),
        "one alone": made.of(user),
        "five recipes": made.of(*made.default().entrants, user),
        "one diverged": made.of(broken, user),
        "no words": made.of(user, words=()),
    }


@pytest.mark.parametrize("kind", records())
def test_every_run_has_a_report(kind, tmp_path):
    held = records()[kind]
    report = compare.write(held, tmp_path)
    text, html = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    assert max(map(len, terminal_text(report).splitlines())) <= 80
    for entrant in held.entrants:
        assert markdown.escape(entrant.title) in text and entrant.title in html
    drawn = figures_of(report)
    assert {b.path for b in drawn} == {
        f"figures/{name}.png" for name in ("accuracy", "curves", "reliability", "memory")
    }
    assert all((tmp_path / b.path).read_bytes().startswith(page.PNG) for b in drawn)
    assert html.count("data:image/png") == 4
    (cards,) = (b for b in report if isinstance(b, Cards))
    assert len(cards.cards) == 20


def test_what_diverged_is_named_and_has_no_accuracy():
    text = markdown.render(compare.blocks(records()["one diverged"]))
    assert "broken seed 0 diverged in epoch 1; broken seed 1 diverged in epoch 1" in text
    assert re.search(r"\| broken +\| +diverged \|", text)


def test_the_twenty_reviews_show_the_sound_recipes_beside_the_notebooks_words():
    (cards,) = (b for b in compare.blocks(made.default()) if isinstance(b, Cards))
    assert [model.title for model in cards.cards[0].models] == ["SimpleRNN, sound", "LSTM, sound"]
    assert "the notebook's SimpleRNN: positive" in cards.cards[0].facts
    predictions = cards.instead[0]
    assert [plain(cell) for cell in predictions.header][-2:] == [
        "notebook's SimpleRNN",
        "notebook's LSTM",
    ]
    assert "notebook's" not in str(reviews._predictions(records()["other data"].sample.reviews))


def hostile_strings(value):
    """The same record with a hostile text in every string that names nothing else."""
    if isinstance(value, dict):
        kept = ("name", "title", "first", "second", "shown", "accuracy")
        return {k: v if k in kept else hostile_strings(v) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile_strings(one) for one in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_texts_in_a_record_are_text_everywhere(tmp_path):
    held = made.of(
        made.entrant(HOSTILE, [0.8], title=HOSTILE, **{HOSTILE: HOSTILE}),
        made.entrant(f"{HOSTILE}2", [0.7], title=f"{HOSTILE}2", lost_seeds=(1,)),
        data=msgspec.structs.replace(made.HELD_OUT, title=HOSTILE),
        words=(HOSTILE,) * 3,
    )
    content = msgspec.to_builtins(held)
    content = msgspec.json.decode(msgspec.json.encode(hostile_strings(content)))
    content["groups"] = {HOSTILE: content["groups"]["true length"]}
    held = msgspec.convert(content, type(held))
    report = compare.write(held, tmp_path)
    html, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    assert "<script" not in html and "<a " not in html and "onerror='hurt()'" not in html
    assert set(re.findall(r'<img src="([^"]{10})', html)) == {"data:image"}
    shown = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    assert "<script" not in shown and "<a " not in shown
    assert set(re.findall('<img src="([^"]*)"', shown)) == {b.path for b in figures_of(report)}
    assert "\x1b" not in terminal_text(report)

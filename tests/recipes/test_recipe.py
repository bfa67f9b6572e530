import msgspec
import pytest

from rnnsent import notebook
from rnnsent.model import OPTIONS
from rnnsent.recipes import SHIPPED, Recipe, changed, find
from rnnsent.recipes import recipe as recipes


def test_the_shipped_recipes_are_the_notebooks_and_the_sound_ones():
    rnn, lstm = SHIPPED["notebook-simple-rnn"], SHIPPED["notebook-lstm"]
    assert (rnn.cell, rnn.head, rnn.recurrent_dropout, rnn.fits) == ("simple_rnn", 64, 0.1, 2)
    assert (lstm.cell, lstm.head, lstm.recurrent_dropout, lstm.fits) == ("lstm", 32, 0.0, 1)
    for recipe in (rnn, lstm):
        assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (10, 512, 1e-3)
        assert not recipe.clip and recipe.schedule == "constant"
    assert [recipe.title for recipe in SHIPPED.values()] == [
        "SimpleRNN, notebook",
        "LSTM, notebook",
        "SimpleRNN, sound",
        "LSTM, sound",
        "GRU, sound",
    ]
    assert all(find(name) is recipe for name, recipe in SHIPPED.items())
    assert all(recipe.folder == name for name, recipe in SHIPPED.items())


# What the notebook printed of its models, and set in both of them.
PRINTED = {
    "simple_rnn": {"params": 197_185, "head": 64, "dropout": 0.1, "recurrent_dropout": 0.1},
    "lstm": {"params": 293_953, "head": 32, "dropout": 0.1, "recurrent_dropout": 0.0},
}
WIDTHS = {"embedding_size": 32, "features": (128, 64)}
TRAINED = {"batch_size": 512, "epochs": 10, "learning_rate": 1e-3}


@pytest.mark.parametrize("cell", PRINTED)
def test_the_notebooks_recipes_are_what_it_printed(cell):
    recipe = SHIPPED[f"notebook-{cell.replace('_', '-')}"]
    expected = PRINTED[cell] | WIDTHS | TRAINED | {"cell": cell}
    params = expected.pop("params")
    assert expected.items() <= recipe.fields().items()
    assert recipe.epochs == notebook.EPOCHS and notebook.PARAMS[cell] == params
    # Nothing that the notebook does not have.
    plain = Recipe(name="plain", cell=cell).fields()
    own = {*expected, "fits"}
    assert all(recipe.fields()[name] == plain[name] for name in plain if name not in own)
    layers = notebook.LAYERS[cell]
    assert sum(count for _, count in layers) == params
    assert [title.split()[1] for title, _ in layers[1:4]] == ["128", "64", str(recipe.head)]


def test_the_notebooks_figures_are_what_it_printed():
    assert notebook.TEST_ACCURACY == {"simple_rnn": 0.7670000195503235, "lstm": 0.8404399752616882}
    assert set(notebook.SAMPLE_PREDICTIONS) == {1, 5, 14, 18, 20} and len(notebook.CLAIMS) == 5


@pytest.mark.parametrize(
    "name", ["../up", "/etc", ".", "..", "a/b", "a\\b", "LSTM", "ä", "x" * 300, "nul\0", "claims"]
)
def test_any_name_has_a_file_name_of_its_own(name):
    folder = Recipe(name=name, cell="lstm").folder
    assert folder.isascii() and len(folder) < 100
    assert not set(folder) & set("/\\.\0") and folder != name
    assert folder != Recipe(name=name + "x", cell="lstm").folder


def test_a_record_holds_a_recipe_whole():
    for recipe in SHIPPED.values():
        assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe


def test_the_optimizer_is_the_recipes(monkeypatch):
    monkeypatch.setattr(recipes.optimizers, "adam", lambda *rate, **options: (rate, options))
    recipe = changed(SHIPPED["sound-lstm"], {"fits": 2, "batch_size": 100})
    rate, options = recipe.optimizer(1001)
    assert rate == (1e-3,) and options["steps"] == 11 * 6 * 2
    assert (options["clip"], options["schedule"]) == (1.0, "cosine")
    assert recipe.optimizer(40)[1]["steps"] == 12 and recipe.batch(40) == 40


def test_the_classifier_is_the_recipes(monkeypatch):
    monkeypatch.setattr(recipes, "SentimentClassifier", dict)
    recipe = changed(SHIPPED["sound-simple-rnn"], {"cell_options": {"b": 2, "a": 1}})
    model = recipe.classifier(300, "scan")
    assert (model.pop("vocab_size"), model.pop("implementation")) == (300, "scan")
    assert model.pop("cell_options") == (("a", 1), ("b", 2))
    assert model.items() <= recipe.fields().items() and len(model) == 8 + len(OPTIONS)

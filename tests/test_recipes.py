import sys

import msgspec
import pytest

from rnnsent import notebook, recipes
from rnnsent.errors import UserError
from rnnsent.recipes import SHIPPED, Recipe, changed, digest, find


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(text, name="my.toml"):
        (tmp_path / name).write_text(text)
        return name

    return written


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


def test_a_file_extends_a_shipped_recipe(write):
    mine = find(
        write('extends = "notebook-lstm"\ncell = "my:Cell"\nepochs = 3\ncell_options.bias = 1.5\n')
    )
    assert (mine.name, mine.title, mine.folder) == ("my", "my", "my")
    assert (mine.cell, mine.epochs, mine.cell_options) == ("my:Cell", 3, {"bias": 1.5})
    theirs = SHIPPED["notebook-lstm"]
    same = {n: v for n, v in theirs.fields().items() if n not in ("cell", "epochs", "cell_options")}
    assert same.items() <= mine.fields().items()
    assert find(write('cell = "gru"\n', "other.toml")) == Recipe(name="other", cell="gru")


@pytest.mark.parametrize(
    "text, message",
    [
        ('extends = "notebook-lstm"\nepoch = 3', "there is no field epoch; did you mean epochs"),
        ('extends = "notebook-lstm"\nxyz = 3', "there is no field xyz"),
        ('extends = "notebook"', "extends is 'notebook'; expected one of notebook-simple-rnn"),
        ("extends = []", r"extends is \[\]; expected one of"),
        ("epochs = 3", "cell is missing; give one, or extends"),
        ('cell = ""', "cell is ''; expected str of length >= 1"),
        ('cell = "lstm"\nepochs = 0', "epochs is 0; expected int >= 1"),
        ('cell = "lstm"\nepochs = "3"', "epochs is '3'; expected int, got str"),
        ('cell = "lstm"\nepochs = 1.5', "epochs is 1.5; expected int"),
        ('cell = "lstm"\nfeatures = []', r"features is \[\]; expected array of length >= 1"),
        ('cell = "lstm"\nfeatures = 64', r"features is 64; give a list, for example \[64\]"),
        ('cell = "lstm"\nfeatures = [4, 0]', r"features is \[4, 0\]; expected int >= 1"),
        ('cell = "lstm"\ndropout = 1', "dropout is 1; expected float < 1.0"),
        ('cell = "lstm"\nlearning_rate = nan', "learning_rate is nan; expected float > 0"),
        ('cell = "lstm"\nlearning_rate = inf', "learning_rate is inf; it must be finite"),
        ('cell = "lstm"\nclip = inf', "clip is inf; it must be finite"),
        ('cell = "lstm"\nschedule = "x"', "schedule is 'x'; expected one of constant, cosine"),
        ('cell = "lstm"\ncell_options.a = [1]', "cell_options is .*; expected bool"),
        ('cell = "lstm"\ncell_options.features = 1', "cell_options has 'features'"),
        ('cell = "lstm"\nname = "x"', "name is 'x'; a recipe is named by its file"),
        ("cell = ", "is no valid TOML"),
    ],
)
def test_a_file_that_holds_no_recipe_is_refused_in_one_line(write, text, message):
    with pytest.raises(UserError, match=f"^(The recipe )?my.*{message}") as error:
        find(write(text))
    assert "\n" not in str(error.value)


def test_a_recipe_that_is_nowhere_is_refused(write):
    with pytest.raises(UserError, match="no recipe notebook-lstn; did you mean notebook-lstm"):
        find("notebook-lstn")
    with pytest.raises(UserError, match="no recipe xyz; there are notebook-simple-rnn, "):
        find("xyz")
    with pytest.raises(UserError, match="nowhere.toml cannot be read: No such file"):
        find("nowhere.toml")
    with pytest.raises(UserError, match="changes the shipped recipe notebook-lstm"):
        find(write('extends = "notebook-lstm"\nepochs = 3', "notebook-lstm.toml"))


def test_a_changed_recipe_says_what_was_changed_and_is_not_the_notebooks():
    lstm = SHIPPED["notebook-lstm"]
    new = changed(lstm, {"epochs": 3, "features": (8, 4), "learning_rate": 1e-3})
    assert (new.epochs, new.features) == (3, (8, 4))
    assert new.name == new.title == "notebook-lstm+features=8,4+epochs=3"
    assert not new.shipped and changed(lstm, {"epochs": 10}) == lstm
    options = changed(lstm, {"cell_options": {"b": True, "a": 1}})
    assert options.name == "notebook-lstm+cell_options=a=1,b=True"
    with pytest.raises(UserError, match="notebook-lstm: epochs is 0; expected int >= 1"):
        changed(lstm, {"epochs": 0})


def test_what_is_changed_twice_has_the_name_of_both_changes_at_once():
    lstm = SHIPPED["notebook-lstm"]
    once = changed(lstm, {"epochs": 3, "head": 8})
    assert changed(once, {"epochs": 2}) == changed(lstm, {"epochs": 2, "head": 8})
    assert changed(once, {"epochs": 10, "head": 32}) == lstm
    mine = changed(Recipe(name="mine", cell="gru"), {"epochs": 3, "head": 8})
    assert changed(mine, {"epochs": 2}).name == "mine+head=8+epochs=2"


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


def test_sameness_is_every_field_but_the_name():
    start = {"recurrent_init": "orthogonal"}  # which a gain goes with
    recipe = msgspec.structs.replace(SHIPPED["notebook-lstm"], **start)
    assert digest(msgspec.structs.replace(recipe, name="other")) == digest(recipe)
    assert len({digest(recipe) for recipe in SHIPPED.values()}) == len(SHIPPED)
    texts = {"cell": "gru", "recurrent_init": "identity", "schedule": "cosine"}
    values = texts | {"cell_options": {"a": 1}, "features": (8,), "averaging": 0.9}
    for name, value in recipe.fields().items():
        new = values[name] if name in values else value + (1 if isinstance(value, int) else 0.5)
        assert digest(msgspec.structs.replace(recipe, **{name: new})) != digest(recipe), name


def test_sameness_of_a_guests_cell_is_its_source_too(write, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    recipe = Recipe(name="mine", cell="guest_of_recipes:Cell")
    with pytest.raises(UserError, match="guest_of_recipes:Cell has no source.* module:Class"):
        digest(recipe)
    write("raise RuntimeError", "guest_of_recipes.py")
    before = digest(recipe)
    write("raise ValueError", "guest_of_recipes.py")
    assert digest(recipe) != before
    assert "guest_of_recipes" not in sys.modules
    assert digest(msgspec.structs.replace(recipe, name="other")) == digest(recipe)


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
    assert model.items() <= recipe.fields().items() and len(model) == 8

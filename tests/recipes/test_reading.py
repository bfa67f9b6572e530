import pytest

from rnnsent.errors import UserError
from rnnsent.recipes import SHIPPED, Recipe, changed, find


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
        ('cell = "lstm"\npooling = "sum"', "pooling is 'sum'; expected one of last, mean, max"),
        ('cell = "lstm"\ncompute = "f16"', "compute is 'f16'; expected one of float32, bfloat16"),
        ('cell = "lstm"\nresidual = 1', "residual is 1; expected bool, got int"),
        ('cell = "lstm"\nresidual = true', r"of equal widths, and features are \(128, 64\)"),
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
    with pytest.raises(UserError, match="no recipe x{9999}; there are"):
        find("x" * 9999)
    write('cell = "gru"', "mine.toml")
    with pytest.raises(UserError, match=r"no recipe mine; did you mean mine\.toml\?"):
        find("mine")
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

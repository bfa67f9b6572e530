from rnnsent import notebook, recipes
from rnnsent.claims.conditions import CONDITIONS, SOUND, planned


def test_the_notebooks_own_are_shipped_recipes_unchanged():
    plan = planned({})
    for name, recipe in (
        ("lstm", "notebook-lstm"),
        ("simple_rnn-twice", "notebook-simple-rnn"),
        ("sound-lstm", "sound-lstm"),
    ):
        assert plan[name].recipe == recipes.SHIPPED[recipe]
    assert list(plan) == [*CONDITIONS, *SOUND]


def test_conditions_differ_in_one_thing():
    plan = planned({})
    once, twice, plain = (
        plan[f"simple_rnn{what}"].recipe.fields() for what in ("", "-twice", "-plain")
    )
    assert {k for k in once if once[k] != twice[k]} == {"fits"}
    assert {k for k in once if once[k] != plain[k]} == {"recurrent_dropout"}
    lstm, recurrent = plan["lstm"].recipe.fields(), plan["lstm-recurrent"].recipe.fields()
    assert {k for k in lstm if lstm[k] != recurrent[k]} == {"recurrent_dropout"}
    assert len({one.recipe.folder for one in plan.values()}) == len(plan)


def test_the_command_line_changes_all_but_what_makes_a_condition():
    plan = planned({"epochs": 2, "recurrent_dropout": 0.3, "fits": 4})
    assert {one.recipe.epochs for one in plan.values()} == {2}
    assert plan["simple_rnn"].recipe.fits == 1 and plan["simple_rnn-twice"].recipe.fits == 2
    assert plan["simple_rnn-plain"].recipe.recurrent_dropout == 0
    # As a comparison names it, so that its trainings are taken over.
    shipped = recipes.SHIPPED["notebook-lstm"]
    changed = recipes.changed(shipped, {"epochs": 2})
    assert planned({"epochs": 2})["lstm"].recipe.folder == changed.folder


def test_guests_stand_beside_and_none_is_trained_twice():
    guest = recipes.changed(recipes.SHIPPED["notebook-lstm"], {"dropout": 0.2})
    plan = planned({}, [guest, recipes.SHIPPED["sound-lstm"], guest])
    assert list(plan) == [*CONDITIONS, *SOUND, guest.name]
    assert plan[guest.name].printed is None


def test_what_the_notebook_printed_is_said_of_its_recipes_only():
    printed = {name: one.printed for name, one in planned({}).items() if one.printed}
    assert printed == {
        "simple_rnn": "simple_rnn",
        "simple_rnn-twice": "simple_rnn",
        "lstm": "lstm",
    }
    assert set(printed.values()) == set(notebook.TEST_ACCURACY)

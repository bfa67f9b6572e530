import msgspec
import pytest

from rnnsent import notebook, recipes
from rnnsent.claims.conditions import BASES, CONDITIONS, check, planned
from rnnsent.errors import UserError

SHIPPED = [recipes.SHIPPED[name] for name in BASES]


def test_the_notebooks_own_are_shipped_recipes_unchanged():
    plan = planned(SHIPPED)
    assert list(plan) == list(CONDITIONS)
    assert plan["lstm"].recipe == recipes.SHIPPED["notebook-lstm"]
    assert plan["simple_rnn-twice"].recipe == recipes.SHIPPED["notebook-simple-rnn"]


def test_conditions_differ_in_one_thing():
    plan = planned(SHIPPED)
    fields = {name: one.recipe.fields() for name, one in plan.items()}

    def differ(first, second):
        return {k for k in fields[first] if fields[first][k] != fields[second][k]}

    assert differ("simple_rnn", "simple_rnn-twice") == {"fits"}
    assert differ("simple_rnn", "simple_rnn-plain") == {"recurrent_dropout"}
    assert differ("lstm", "lstm-recurrent") == {"recurrent_dropout"}
    assert len({one.recipe.folder for one in plan.values()}) == len(plan)


def test_what_makes_a_condition_stays_whatever_else_is_changed():
    changed = [
        recipes.changed(one, {"epochs": 2, "recurrent_dropout": 0.3, "fits": 4}) for one in SHIPPED
    ]
    plan = planned(changed)
    assert {one.recipe.epochs for one in plan.values()} == {2}
    assert plan["simple_rnn"].recipe.fits == 1 and plan["simple_rnn-twice"].recipe.fits == 2
    assert plan["simple_rnn-plain"].recipe.recurrent_dropout == 0


def test_a_condition_lies_where_a_comparison_has_the_same_recipe():
    changed = [recipes.changed(one, {"epochs": 2}) for one in SHIPPED]
    plan = planned(changed)
    assert [plan["simple_rnn-twice"].recipe, plan["lstm"].recipe] == changed


def test_guests_stand_beside_and_none_is_trained_twice():
    guest = recipes.changed(recipes.SHIPPED["notebook-lstm"], {"dropout": 0.2})
    plan = planned(SHIPPED, [guest, recipes.SHIPPED["notebook-lstm"]])
    assert list(plan) == [*CONDITIONS, guest.name]
    assert plan[guest.name].printed is None


def test_a_guest_takes_no_conditions_name_or_title():
    guests = [msgspec.structs.replace(SHIPPED[1], name=name, clip=1.0) for name in ("lstm", "LSTM")]
    plan = planned(SHIPPED, guests)
    assert plan["lstm"].recipe == SHIPPED[1] and plan["recipe lstm"].recipe == guests[0]
    assert [one.title for one in plan.values()][-2:] == ["recipe lstm", "recipe LSTM"]


def test_what_the_notebook_printed_is_said_of_its_recipes_only():
    printed = {name: one.printed for name, one in planned(SHIPPED).items() if one.printed}
    assert printed == {
        "simple_rnn": "simple_rnn",
        "simple_rnn-twice": "simple_rnn",
        "lstm": "lstm",
    }
    assert set(printed.values()) == set(notebook.TEST_ACCURACY)


def test_a_changed_condition_says_so_and_stands_beside_nothing_printed():
    plan = planned([recipes.changed(one, {"head": 32}) for one in SHIPPED])  # the LSTM's anyway
    changed = {name for name, one in plan.items() if one.changed}
    assert changed == {name for name in CONDITIONS if name.startswith("simple_rnn")}
    assert plan["simple_rnn"].title == "SimpleRNN, changed" and plan["lstm"].title == "LSTM"
    assert {name for name, one in plan.items() if one.printed} == {"lstm"}


@pytest.mark.parametrize("field", ["cell", "fits", "recurrent_dropout"])
def test_what_makes_a_condition_is_not_set_in_all(field):
    with pytest.raises(UserError, match=f"^--{field.replace('_', '-')}: the claims set this"):
        check({"epochs": 2, field: 1})
    check({"epochs": 2})

import itertools
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnsent import recipes
from rnnsent.errors import UserError
from rnnsent.sweep import plan
from rnnsent.sweep.plan import Range, Sweep

BASE = recipes.find("sound-lstm")

SHARES = st.floats(0, 0.9).map(lambda x: round(x, 2))
LISTS = {
    "dropout": SHARES,
    "features": st.lists(st.integers(1, 99), min_size=1, max_size=2),
    "cell": st.sampled_from(["lstm", "gru"]),
    "epochs": st.integers(1, 20),
}


@st.composite
def ranges(draw, of, counted):
    low, high = sorted(draw(st.lists(of, min_size=2, max_size=2, unique=True)))
    count = draw(st.integers(2, 5)) if counted else None
    return Range(low, high, count, draw(st.booleans()))


@st.composite
def sweeps(draw, drawn):
    names = draw(st.lists(st.sampled_from(sorted(LISTS)), max_size=3, unique=True))
    fields = {n: draw(st.lists(LISTS[n], min_size=1, max_size=3)) for n in names}
    fields["learning_rate"] = draw(ranges(st.floats(1e-6, 1.0), not drawn))
    fields["head"] = draw(ranges(st.integers(1, 500), not drawn))
    search = plan.Random(draw(st.integers(1, 12)), draw(st.integers(0, 9))) if drawn else None
    return Sweep(base="sound-lstm", seeds=(0,), fields=fields, random=search)


def held(recipe, name):
    value = recipe.fields()[name]
    return list(value) if isinstance(value, tuple) else value


def names(made):
    return [member.name for member in made.members]


@settings(max_examples=60, deadline=None)
@given(sweeps(drawn=False))
def test_a_grid_is_every_combination_once_after_the_base(sweep):
    made = plan.plan(sweep, BASE)
    assert made.members[0] == BASE and len(set(names(made))) == len(made.members)
    taken = {n: [v for v in sweep.fields[n]] for n in sweep.fields if n in LISTS}
    found = {tuple(map(str, (held(m, n) for n in taken))) for m in made.members[1:]}
    asked = {tuple(map(str, values)) for values in itertools.product(*taken.values())}
    base = tuple(str(held(BASE, n)) for n in taken)
    assert found | {base} == asked | {base}
    rates = {member.learning_rate for member in made.members[1:]} | {BASE.learning_rate}
    limits = sweep.fields["learning_rate"]
    assert {limits.low, limits.high} <= rates and len(rates) <= limits.count + 1
    assert all(limits.low <= rate <= limits.high for rate in rates - {BASE.learning_rate})
    count = math.prod(v.count if isinstance(v, Range) else len(v) for v in sweep.fields.values())
    assert len(made.members) <= count + 1
    unvaried = [n for n in BASE.fields() if n not in sweep.fields]
    assert all(held(m, n) == held(BASE, n) for m in made.members for n in unvaried)
    assert set(made.varied) == set(sweep.fields)


@settings(max_examples=60, deadline=None)
@given(sweeps(drawn=True), st.randoms())
def test_draws_follow_from_the_seed_and_more_draws_go_on_with_them(sweep, order):
    made = plan.plan(sweep, BASE)
    for member in made.members[1:]:
        for name, values in sweep.fields.items():
            value = held(member, name)
            if isinstance(values, Range):
                assert values.low <= value <= values.high
            else:
                assert value in values
    turned = list(sweep.fields.items())
    order.shuffle(turned)
    assert plan.plan(msgspec.structs.replace(sweep, fields=dict(turned)), BASE) == made
    more = msgspec.structs.replace(
        sweep, random=plan.Random(sweep.random.draws + 5, sweep.random.seed)
    )
    assert names(plan.plan(more, BASE))[: len(made.members)] == names(made)


def test_what_a_seed_draws_stays_what_it_is():
    """For a sweep goes on in another version with what it drew."""
    fields = {
        "learning_rate": Range(1e-4, 1e-1, log=True),
        "head": Range(8, 64, log=True),
        "cell": ["lstm", "gru"],
        "dropout": Range(0, 1 / 2),
    }
    made = plan.plan(Sweep("sound-lstm", (0,), fields, random=plan.Random(2, 7)), BASE)
    assert [(m.learning_rate, m.head, m.cell, m.dropout) for m in made.members[1:]] == DRAWN


DRAWN = [(0.0001649, 30, "lstm", 0.07542), (0.003329, 8, "gru", 0.1828)]


def test_draws_of_whole_numbers_reach_every_one_of_them():
    fields = {"head": Range(1, 4), "epochs": Range(1, 4, log=True)}
    made = plan.plan(Sweep("sound-lstm", (0,), fields, random=plan.Random(200)), BASE)
    for name in fields:
        assert {getattr(m, name) for m in made.members[1:]} == {1, 2, 3, 4}


def test_a_logarithmic_grid_has_equal_ratios():
    made = plan.plan(Sweep("sound-lstm", (0,), {"learning_rate": Range(1e-4, 1e-1, 4, True)}), BASE)
    assert [m.learning_rate for m in made.members] == [1e-3, 1e-4, 1e-2, 1e-1]  # the base first


def test_a_file_is_read_with_a_base_beside_it(tmp_path):
    (tmp_path / "mine.toml").write_text('extends = "sound-gru"\nhead = 7')
    (tmp_path / "s.toml").write_text(
        'base = "mine.toml"\nseeds = [3, 1]\nset = {epochs = 2}\n[fields]\nhead = [7, 8]'
    )
    made = plan.read(tmp_path / "s.toml")
    assert names(made) == ["mine+epochs=2", "mine+epochs=2+head=8"] and made.seeds == (3, 1)
    assert made.members[1].cell == "gru" and made.varied == ("head",)


HEAD = 'base = "sound-lstm"\nseeds = [0]\n'


@pytest.mark.parametrize(
    "text, message",
    [
        ('base = "sound-lstm"\nseeds = [0]', "required field fields"),
        (HEAD + "fields = {}", "fields: expected object of length >= 1"),
        (HEAD + "draws = 3\n[fields]\nhead = [1]", "no draws; expected base, seeds, fields"),
        (HEAD + "[fields]\nheads = [1]", "no field heads; did you mean head?"),
        (HEAD + "[fields]\nname = ['x']", "no field name"),
        (HEAD + "[fields]\nhead = []", "length >= 1"),
        (HEAD + "[fields]\nhead = 3", "expected object | array, got int"),
        (HEAD + "[fields]\nhead = [0]", "head is 0; expected int >= 1"),
        (HEAD + "[fields]\nfeatures = [64, 32]", "features is 64; give a list"),
        (HEAD + "[fields]\nhead = {low = 1, high = 9}", "range of head needs a count"),
        (HEAD + "[fields]\nhead = {low = 1.5, high = 9, count = 2}", "head is a whole number"),
        (HEAD + "[fields]\nhead = {low = 9, high = 1, count = 2}", "low is below high"),
        (HEAD + "[fields]\nhead = {low = 1, high = nan, count = 2}", "low is below high"),
        (HEAD + "[fields]\ncell = {low = 1, high = 2, count = 2}", "cell takes no range"),
        (HEAD + "[fields]\nhead = {low = 1, top = 2}", "no top in fields[...]; expected low"),
        (HEAD + "[fields]\ndropout = {low = 0, high = 0.5, count = 3, log = true}", "above 0"),
        (HEAD + "random = {draws = 0}\n[fields]\nhead = [1]", "random.draws: expected int >= 1"),
        (HEAD + "random = {n = 1}\n[fields]\nhead = [1]", "no n in random; expected draws, seed"),
        (
            HEAD + "random = {draws = 2}\n[fields]\nhead = {low = 1, high = 9, count = 3}",
            "no count in a random search",
        ),
        (HEAD + "set = {head = 3}\n[fields]\nhead = [1]", "head stands in fields and in set"),
        (HEAD + "set = {hed = 3}\n[fields]\nhead = [1]", "no field hed; did you mean head?"),
        (HEAD + "[fields]\nhead = [32]", "every member is the base itself"),
        (
            HEAD + "[fields]\nhead = {low = 1, high = 999, count = 999}\n"
            "epochs = {low = 1, high = 999, count = 999}",
            "998,001 members, more than 10,000",
        ),
        (
            'base = "sound-lstm"\nseeds = [0]\n[fields]\ncell_options = [{a = 1}, {a = "1"}]',
            "two members would be called",
        ),
        ('base = "lstm"\nseeds = [0]\n[fields]\nhead = [1]', "no recipe lstm; there are"),
        ('base = "gone.toml"\nseeds = [0]\n[fields]\nhead = [1]', "cannot be read"),
        ('base = "sound-lstm"\nseeds = []\n[fields]\nhead = [1]', "seeds: expected array"),
        ('base = "sound-lstm"\nseeds = [1, 1]\n[fields]\nhead = [1]', "names one value twice"),
        ('base = "sound-lstm"\nseeds = [-1]\n[fields]\nhead = [1]', "int >= 0"),
        ("base = ", "no valid TOML"),
    ],
)
def test_what_no_sweep_can_be_is_one_line(tmp_path, text, message):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        plan.read(path)
    said = str(error.value)
    assert message in said and "s.toml" in said and "\n" not in said


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="gone.toml cannot be read"):
        plan.read(tmp_path / "gone.toml")

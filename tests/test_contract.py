"""A broken promise of a cell is one line that names the method; what keeps them all is let through.

Each fault is ``MinimalCell`` with one method as a user's slip would have it.
"""

import sys
import types

import jax
import numpy as np
import pytest
from guests import GUESTS, CountingCell, LeakyCell, MatrixCell, MinimalCell

from rnnsent import contract
from rnnsent.cells import CLASSIC, glorot_uniform, jnp
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier

E, H = 3, 4


@pytest.fixture
def refusal(monkeypatch):
    """``refusal(base, **body)``: what is said of ``mine:Faulty``, a base with that in its class."""

    def refused(base=MinimalCell, model=None, **body) -> str:
        mine = types.ModuleType("mine")
        mine.Faulty = type("Faulty", (base,), body)
        monkeypatch.setitem(sys.modules, "mine", mine)
        fields = {"embedding_size": E, "features": (H,), "dropout": 0.0, **(model or {})}
        with pytest.raises(UserError) as error:
            contract.check(SentimentClassifier("mine:Faulty", **fields))
        assert "\n" not in str(error.value)
        return str(error.value)

    return refused


def advance(params, carry, x_BE):
    """What ``MinimalCell`` makes of h."""
    return MinimalCell(H).step(params, carry, x_BE)[0]


def kernel(cell, input_size):
    return cell.param("kernel", glorot_uniform(), (input_size, 2 * cell.features))


def whole_numbers(cell, input_size):
    table = cell.param("table", lambda key: jnp.zeros((H,), jnp.int32))
    return {"kernel": kernel(cell, input_size), "table": table}


def with_statistics(cell, input_size):
    cell.variable("statistics", "mean", lambda: jnp.zeros(H))
    return {"kernel": kernel(cell, input_size)}


def with_a_draw_at_every_use(cell, input_size):
    cell.make_rng("params")
    return {"kernel": kernel(cell, input_size)}


def with_numpys_draw(cell, input_size):
    return {"kernel": kernel(cell, input_size) * np.random.rand()}


def returning_none(cell, input_size):
    kernel(cell, input_size)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (returning_none, "declares parameters and returns None"),
        (whole_numbers, "declares ['table'] as int32, expected floats"),
        (with_statistics, "declares variables (statistics); only self.param is kept"),
        (with_a_draw_at_every_use, 'needs PRNG for "params"'),
        (with_numpys_draw, "gives another program each time it is traced"),
        (lambda cell: {}, "fails: TypeError"),
        (lambda cell, input_size: 1 / 0, "fails: ZeroDivisionError: division by zero"),
        (lambda cell, input_size: {"activation": "relu"}, "type <class 'str'>"),
    ],
)
def test_weights(refusal, weights, words):
    said = refusal(weights=weights)
    assert said.startswith("mine:Faulty.weights ") and words in said


NO_TUPLE = "must return a tuple of arrays with leading axis B, one row for each"
UNLIKE = "must start every row alike"


@pytest.mark.parametrize(
    ("carry", "words"),
    [
        (lambda shape: [jnp.zeros((*shape[:-1], H))], NO_TUPLE),
        (lambda shape: jnp.zeros((*shape[:-1], H)), NO_TUPLE),
        (lambda shape: ({"h": jnp.zeros((*shape[:-1], H))},), NO_TUPLE),
        (lambda shape: (), NO_TUPLE),
        (lambda shape: None, NO_TUPLE),
        (lambda shape: (jnp.zeros(()),), NO_TUPLE),
        (lambda shape: (jnp.zeros((1, H)),), NO_TUPLE),
        (lambda shape: (jnp.zeros((contract.ROWS, H)),), NO_TUPLE),
        (lambda shape: (jnp.zeros((*shape[:-1], shape[0])),), UNLIKE),
        (lambda shape: (jnp.arange(1.0 * shape[0])[:, None] + jnp.zeros(H),), UNLIKE),
        (lambda shape: (np.random.rand(*shape[:-1], H),), UNLIKE),
        (lambda shape: jnp.zeros(shape)[9, 9, 9], "fails: IndexError"),
    ],
)
def test_the_initial_carry(refusal, carry, words):
    said = refusal(initialize_carry=lambda cell, rng, input_shape: carry(input_shape))
    assert said.startswith("mine:Faulty.initialize_carry ") and words in said


CARRY, ROWS, PURE, ZEROS = (
    "turns the carry ('float32[3, 4]',) into ",
    "lets the rows of a batch meet",
    "gives another program each time it is traced",
    "is not finite or not differentiable at zero inputs",
)
calls = []


def counted(params, carry, x_BE):
    calls.append(1)
    return (advance(params, carry, x_BE) / len(calls),)


def read_by_the_sum(params, carry, x_BE):
    new_BH = advance(params, carry, x_BE)
    return (jax.lax.cond(x_BE.sum() > 0, lambda: new_BH, lambda: carry[0]),)


def centred(params, carry, x_BE):
    h_BH = advance(params, carry, x_BE)
    return (h_BH - h_BH.mean(0),)


def normalised(a):
    return a / jnp.linalg.norm(a, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        # The carry keeps its structure, shapes and dtypes.
        (lambda p, c, x: advance(p, c, x), CARRY + "float32[3, 4], expected the same"),
        (lambda p, c, x: [advance(p, c, x)], CARRY + "['float32[3, 4]'], "),
        (lambda p, c, x: (advance(p, c, x),) * 2, CARRY + "('float32[3, 4]', 'float32[3, 4]'), "),
        (lambda p, c, x: None, CARRY + "None"),
        (lambda p, c, x: (advance(p, c, x)[:, :2],), CARRY + "('float32[3, 2]',)"),
        (lambda p, c, x: (advance(p, c, x).astype(jnp.bfloat16),), CARRY + "('bfloat16[3, 4]',)"),
        # It runs.
        (lambda p, c, x: (c[0] @ p["recurrent"],), "fails: KeyError: 'recurrent'"),
        (lambda p, c, x: (c[0] if x.sum() > 0 else -c[0],), "fails: TracerBoolConversionError"),
        (lambda p, c, x: sys.exit(3), "fails: SystemExit: 3"),
        (lambda p, c, x: (_ for _ in ()).throw(ValueError), "fails: ValueError: no message"),
        # It is pure.
        (lambda p, c, x: (advance(p, c, x) + np.random.rand(),), PURE),
        (lambda p, c, x: (advance(p, c, x) + np.random.rand(H).astype("f"),), PURE),
        (counted, PURE),
        # Each row by itself.
        (centred, ROWS),
        (read_by_the_sum, ROWS),
        (lambda p, c, x: (advance(p, (jnp.roll(c[0], 1, axis=0),), x),), ROWS),
        (lambda p, c, x: (advance(p, c, x.reshape(3, -1)),), "on a row alone fails: TypeError"),
        # Padding.
        (lambda p, c, x: (advance(p, c, normalised(x)),), ZEROS),
        (lambda p, c, x: (normalised(advance(p, c, x)),), ZEROS),
        (lambda p, c, x: (advance(p, c, jnp.sqrt(jnp.abs(x))),), ZEROS),
    ],
)
def test_the_step(refusal, step, words):
    said = refusal(step=lambda cell, params, carry, x_BE: step(params, carry, x_BE))
    assert said.startswith("mine:Faulty.step ") and words in said


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (lambda h_BH: h_BH[:, :2], "gives outputs float32[3, 2], expected float[3, 4]"),
        (lambda h_BH: h_BH.astype(int), "gives outputs int32[3, 4], expected float[3, 4]"),
        (lambda h_BH: (h_BH,), "gives outputs ('float32[3, 4]',), expected float[3, 4]"),
        (lambda h_BH: None, "gives outputs None, expected float[3, 4]"),
        (lambda h_BH: h_BH.nothing, "fails: AttributeError"),
        (lambda h_BH: h_BH * np.random.rand(), PURE),
        (lambda h_BH: h_BH - h_BH.mean(0), ROWS),
        (normalised, ZEROS),
    ],
)
def test_the_output(refusal, output, words):
    """The step is right, so it is not what is blamed."""
    said = refusal(output=lambda cell, params, carry, x_BE: output(carry[0]))
    assert said.startswith("mine:Faulty.output ") and words in said


def test_a_carry_that_is_no_output_is_the_steps_where_there_is_no_method_output(refusal):
    said = refusal(
        initialize_carry=lambda cell, rng, shape: (jnp.zeros((*shape[:-1], 2 * H)),),
        step=lambda cell, params, carry, x_BE: (carry[0] + x_BE.sum(-1, keepdims=True),),
    )
    assert "mine:Faulty.step gives outputs float32[3, 8], expected float[3, 4]" in said


def with_dropout(base):
    def step(cell, params, carry, x_BE, h_BH):
        return base.step(cell, params, carry, x_BE)

    return step


def test_recurrent_dropout_needs_an_argument_and_an_h(refusal):
    dropped = {"recurrent_dropout": 0.1}
    said = refusal(model=dropped)
    assert said.startswith("mine:Faulty.step has no argument h_BH") and "write step(self," in said
    assert "set recurrent_dropout to 0" in said
    said = refusal(MatrixCell, dropped, step=with_dropout(MatrixCell))
    assert "initialize_carry gives float32[3, 4, 4] as carry[0], expected float[3, 4], on" in said
    with pytest.raises(UserError, match="guests:ConstantCell.step has no argument h_BH"):
        contract.check(SentimentClassifier("guests:ConstantCell", features=(H,), **dropped))
    with pytest.raises(UserError, match="^mlstm.step has no argument h_BH.*recurrent_dropout to 0"):
        contract.check(SentimentClassifier("mlstm", features=(H,), **dropped))


def test_hyper_parameters(refusal):
    assert refusal(model={"cell_options": (("leek", 1),)}) == (
        "mine:Faulty has no option leek; it has none."
    )
    said = refusal(LeakyCell, {"cell_options": (("leak", "much"),)})
    assert said == "mine:Faulty: leak is 'much', expected float."
    said = refusal(__annotations__={"leak": float})
    assert said.startswith("mine:Faulty fails: TypeError: ") and "'leak'" in said
    with pytest.raises(UserError, match="lstm has no option leak; it has none"):
        contract.check(SentimentClassifier("lstm", cell_options=(("leak", 1),)))


def test_a_failure_says_the_line_of_the_users_file(tmp_path, monkeypatch):
    source = "import guests\n\nclass Mine(guests.MinimalCell):\n"
    source += "    def step(self, params, carry, x_BE):\n        return self.param('b')\n"
    (tmp_path / "mine_with_lines.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as error:
        contract.check_cell("mine_with_lines:Mine", {}, E, H)
    said = str(error.value)
    assert said.startswith("mine_with_lines:Mine.step fails in line 5 of mine_with_lines.py: ")


def test_every_layers_widths_are_checked(refusal):
    """A residual step is right where both are the same, and nowhere else."""
    said = refusal(
        step=lambda cell, params, carry, x_BE: (carry[0] + x_BE,),
        model={"embedding_size": H, "features": (H, H, H + 1)},
    )
    assert "mine:Faulty.step fails: TypeError: add got incompatible shapes" in said


@pytest.mark.parametrize("cell", (*GUESTS, LeakyCell), ids=lambda cell: cell.__name__)
def test_guests_that_keep_it_are_let_through(cell):
    contract.check_cell(f"guests:{cell.__name__}", {}, E, H)


@pytest.mark.parametrize("name", CLASSIC)
def test_the_classic_cells_keep_it(name):
    contract.check_cell(name, {}, E, H, recurrent_dropout=True)
    contract.check(SentimentClassifier(name, recurrent_dropout=0.1))


def test_what_jax_offers_is_let_through():
    """Programs that print addresses, branches by row and draws from a key of one's own."""

    @jax.custom_jvp
    def squashed(a):
        return jnp.tanh(a)

    squashed.defjvp(lambda a, da: (jnp.tanh(*a), da[0] * (1 - jnp.tanh(*a) ** 2)))

    class Mine(CountingCell):
        def step(self, params, carry, x_BE):
            h_BH, count_B = super().step(params, carry, x_BE)
            h_BH = jax.checkpoint(squashed)(h_BH)
            kept_H = jax.random.bernoulli(jax.random.key(3), 0.5, (self.features,))
            even_B1 = (count_B % 2 == 0)[:, None]
            return jax.nn.relu(jnp.where(kept_H & even_B1, h_BH, carry[0])), count_B

        def output(self, params, carry, x_BE):
            return carry[0] / carry[1][:, None]

    mine = types.ModuleType("mine_of_jax")
    mine.Mine = Mine
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "mine_of_jax", mine)
        contract.check(SentimentClassifier("mine_of_jax:Mine", embedding_size=E, features=(H, H)))

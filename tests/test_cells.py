import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from guests import GUESTS, LeakyCell, MatrixCell, MinimalCell

from rnnsent import cells
from rnnsent.cells import CELLS, Cell
from rnnsent.errors import UserError
from rnnsent.layers import Recurrent
from rnnsent.recurrence import scan

B, T, E, H = 4, 9, 3, 5
x_BTE = np.random.default_rng(0).standard_normal((B, T, E), np.float32)
EVERY = (*CELLS.values(), *GUESTS, LeakyCell)


def assert_close(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6, rtol=1e-5), a, b)


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.__name__)
def test_our_cells_run_in_flax(cell):
    theirs = nn.RNN(cell(H))
    variables = theirs.init(jax.random.key(1), x_BTE)
    params = variables.get("params", {})
    ours = {"params": {"cells_0": params["cell"]} if params else {}}
    _, y_BTH = Recurrent([cell(H)]).apply(ours, x_BTE)
    assert y_BTH.shape == (B, T, H)
    assert_close(y_BTH, theirs.apply(variables, x_BTE))


def test_our_gru_is_flaxs():
    theirs = nn.RNN(nn.GRUCell(H, bias_init=nn.initializers.normal(1.0)))
    variables = theirs.init(jax.random.key(1), x_BTE)
    p = variables["params"]["cell"]
    ours = {
        "kernel": jnp.concatenate([p[n]["kernel"] for n in ("ir", "iz", "in")], 1),
        "recurrent_kernel": jnp.concatenate([p[n]["kernel"] for n in ("hr", "hz", "hn")], 1),
        "bias": jnp.concatenate([p[n]["bias"] for n in ("ir", "iz", "in")]),
        "new_bias": p["hn"]["bias"],
    }
    _, y_BTH = scan(cells.GRUCell(H).advance, ours, (jnp.zeros((B, H)),), x_BTE)
    assert_close(y_BTH, theirs.apply(variables, x_BTE))


@pytest.mark.parametrize("name", CELLS)
def test_shipped_cells_are_found_by_name(name):
    cell = cells.create(name, H, {})
    assert type(cell) is cells.find(name) is CELLS[name]
    assert cell.features == H and cell.drops_recurrence() == (
        name not in ("mlstm", "min_gru", "min_lstm", "lru")
    )


SOURCE = """
from rnnsent.cells import Cell, jnp

class Mine(Cell):
    scale: float = 1.0

    def weights(self, input_size):
        return self.param("kernel", lambda key, shape: jnp.ones(shape), (input_size, self.features))

    def step(self, params, carry, x_BE):
        return (carry[0] + self.scale * (x_BE @ params),)

class NoCell:
    pass

an_instance = Mine(3)
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """A user's module, by a name of its own in each test: Python imports a name once."""
    name = f"mine_{abs(hash(request.node.name)):x}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str = SOURCE) -> str:
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write


def test_a_users_cell_is_found_in_a_folder_of_theirs(module):
    cell = cells.create(f"{module()}:Mine", H, {"scale": 2.0})
    assert isinstance(cell, Cell) and cell.scale == 2
    variables = Recurrent([cell]).init(jax.random.key(0), x_BTE)
    _, y_BTH = Recurrent([cell]).apply(variables, x_BTE)
    expected = 2 * np.cumsum(x_BTE.sum(-1), axis=1)
    np.testing.assert_allclose(y_BTH, np.repeat(expected[..., None], H, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("attribute", "why"),
    [
        (":Other", "has no attribute 'Other'"),
        (":NoCell", "is no subclass of rnnsent.cells.Cell"),
        (":an_instance", "is no subclass of rnnsent.cells.Cell"),
        (":jnp", "is no subclass of rnnsent.cells.Cell"),
        (":", "There is no cell"),
        ("", "There is no cell"),
    ],
)
def test_what_is_no_cell_is_refused_in_one_line(module, attribute, why):
    with pytest.raises(UserError, match=why) as refusal:
        cells.find(module() + attribute)
    assert_one_line(refusal)


@pytest.mark.parametrize("name", ["gpt", "no_such_module:Cell", "", ":", ":LSTMCell", "a.b:C"])
def test_a_name_of_nothing_is_refused_in_one_line(name):
    with pytest.raises(UserError, match="simple_rnn, .*lru, or module:Class") as refusal:
        cells.find(name)
    assert_one_line(refusal)


@pytest.mark.parametrize(
    "source", ["1 / 0", "def (", "raise ValueError('one\\ntwo')", "raise SystemExit(3)"]
)
def test_a_module_that_fails_is_refused_in_one_line(module, source):
    with pytest.raises(UserError, match="There is no cell 'mine_") as refusal:
        cells.find(f"{module(source)}:Mine")
    assert_one_line(refusal)


def assert_one_line(refusal):
    assert "\n" not in str(refusal.value)


def test_options_that_a_cell_does_not_have_are_refused_by_name():
    with pytest.raises(UserError, match="has no option leek; it has leak, square"):
        cells.create("guests:LeakyCell", H, {"leek": 1})
    for name in ("features", "parent", "name", "carry_size"):
        with pytest.raises(UserError, match=f"lstm has no option {name}; it has none"):
            cells.create("lstm", H, {name: 1})
    for name, value in (("leak", "0.9"), ("leak", True), ("square", 1)):
        with pytest.raises(UserError, match=f"{name} is {value!r}, expected (float|bool)"):
            cells.create("guests:LeakyCell", H, {name: value})
    assert cells.create("guests:LeakyCell", H, {"leak": 1}).leak == 1


def run_leaky(**options):
    model = Recurrent([cells.create("guests:LeakyCell", H, options)])
    variables = model.init(jax.random.key(1), x_BTE)
    return variables["params"], model.apply(variables, x_BTE)[1]


def test_hyper_parameters_reach_the_step_and_are_no_parameters():
    params, y_BTH = run_leaky()
    assert jax.tree.map(jnp.shape, params) == {"cells_0": {"kernel": (E, H)}}
    tanh_BTH = np.tanh(x_BTE @ np.asarray(params["cells_0"]["kernel"]))
    for leak in (0.1, 0.75):
        h_BH = np.zeros((B, H))
        for t in range(T):
            h_BH = h_BH + leak * (tanh_BTH[:, t] - h_BH)
        assert_close(run_leaky(leak=leak)[1][:, -1], h_BH)
    same, squared = run_leaky(leak=0.1), run_leaky(square=True)
    assert_close(same, (params, y_BTH))
    assert np.abs(squared[1] - y_BTH).max() > 0.01


def test_cells_with_other_hyper_parameters_are_other_cells():
    """They are static arguments of what is compiled: equal by value, told apart by value."""
    assert LeakyCell(H, leak=0.5) == LeakyCell(H, leak=0.5) != LeakyCell(H, leak=0.25)
    assert hash(LeakyCell(H, leak=0.5)) == hash(LeakyCell(H, leak=0.5))


def test_a_cell_says_what_it_lacks():
    class Empty(Cell):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty must define weights\(self, input_size\)"):
        Empty(H).init(jax.random.key(0), (jnp.zeros((B, H)),), x_BTE[:, 0])
    with pytest.raises(NotImplementedError, match=r"Empty must define step\(self, params, carry"):
        Empty(H).step(None, (jnp.zeros((B, H)),), x_BTE[:, 0])


@pytest.mark.parametrize("cell", [MinimalCell, MatrixCell], ids=lambda cell: cell.__name__)
def test_dropout_is_refused_where_the_step_does_not_say_where_it_acts(cell):
    assert not cell.drops_recurrence()
    with pytest.raises(ValueError, match=f"{cell.__name__} takes no recurrent dropout.*h_BH"):
        cell(H).advance({}, (jnp.zeros((B, H)),), x_BTE[:, 0], jnp.ones((B, H)))


def test_a_gru_keeps_its_state_whole_under_dropout():
    """Everything dropped: the products with h vanish, the h that is interpolated does not."""
    cell = cells.GRUCell(H)
    carry = (jnp.asarray(np.random.default_rng(1).standard_normal((B, H), np.float32)),)
    params = cell.init(jax.random.key(0), carry, x_BTE[:, 0])["params"]
    (got_BH,) = cell.advance(params, carry, x_BTE[:, 0], jnp.zeros((B, H)))
    without = params | {"recurrent_kernel": jnp.zeros_like(params["recurrent_kernel"])}
    (expected_BH,) = cell.advance(without, carry, x_BTE[:, 0])
    assert_close(got_BH, expected_BH)


def test_a_name_without_a_class_is_not_imported(tmp_path, monkeypatch):
    """It may stand in a run that comes from anyone."""
    (tmp_path / "not_ours.py").write_text("raise RuntimeError('was run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"^There is no cell 'not_ours'\. Give one of"):
        cells.find("not_ours")
    assert not cells.is_trusted("not_ours", ()) and cells.is_trusted("lstm", ())
    assert not cells.is_trusted("not_ours:Cell", ()) and cells.is_trusted("a:B", ["a:B"])


def test_titles_need_no_import():
    assert [cells.title(name) for name in cells.CLASSIC] == ["SimpleRNN", "LSTM", "GRU"]
    assert cells.title("peephole_lstm") == "PeepholeLSTM"
    assert cells.title("no_such_module:MinimalCell") == "Minimal"
    assert cells.title("no_such_module:Mine") == "Mine"

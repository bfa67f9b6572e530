"""What keeps to everything passes; a cell with a planted fault is refused by that check's name."""

import dataclasses

import jax
import numpy as np
import pytest
from guests import CountingCell, MinimalCell

from rnnsent import contract, testing
from rnnsent.cells import CELLS, CLASSIC, Cell, MGUCell, jnp, matmul
from rnnsent.kernels import plain
from rnnsent.recurrence import IMPLEMENTATIONS, Implementation
from rnnsent.testing import CHECKS, check_cell


@pytest.mark.parametrize("name", CELLS)
def test_the_shipped_cells_pass(name):
    """The classic ones' implementations are compared at length in tests of the recurrence."""
    left_out = {"implementations"} if name in CLASSIC else set()
    report = check_cell(CELLS[name], checks=set(CHECKS) - left_out)
    verdicts = {check.name: check.verdict for check in report.checks}
    assert tuple(verdicts) == CHECKS and verdicts["gradients"] == "passed"
    assert (verdicts["dropout"] == "passed") == CELLS[name].drops_recurrence()


def test_the_readmes_cell_passes():
    report = check_cell(MinimalCell)
    assert [c.name for c in report.checks if c.verdict != "passed"] == ["affine", "dropout"]


def test_a_carry_may_have_integers():
    assert not check_cell(CountingCell, checks=("masks", "gradients", "rows", "streaming")).failed


class DecayCell(Cell):
    """h' = a h + x K, with a complex a, and the output its real part: linear in its carry."""

    def weights(self, input_size):
        init = jax.nn.initializers.glorot_uniform()
        return self.param("kernel", init, (input_size, self.features))

    def initialize_carry(self, rng, input_shape):
        return (jnp.zeros((*input_shape[:-1], self.features), complex),)

    def affine(self, params, x_BE):
        return ((0.8 * jnp.exp(0.3j), matmul(x_BE, params) + 0j),)

    def step(self, params, carry, x_BE):
        ((a, b_BH),) = self.affine(params, x_BE)
        return (a * carry[0] + b_BH,)

    def output(self, params, carry, x_BE):
        return carry[0].real


def test_a_linear_cell_with_a_complex_carry_passes():
    checks = ("masks", "gradients", "rows", "streaming", "affine")
    report = check_cell(DecayCell, features=5, input_size=2, checks=checks)
    assert [c.name for c in report.checks if c.verdict == "passed"] == list(checks)


def of(base=MinimalCell, **body):
    return type("Faulty", (base,), body)


def stepping(change, base=MinimalCell):
    """A cell whose ``h`` is changed by ``change(h_BH, carry, x_BE)``."""

    def step(self, params, carry, x_BE):
        (h_BH,) = base.step(self, params, carry, x_BE)
        return (change(h_BH, carry, x_BE),)

    return of(base, step=step)


def with_gradient(backward):
    """The identity, of which the gradient is ``backward(g)``."""
    same = jax.custom_vjp(lambda a: a)
    same.defvjp(lambda a: (a, None), lambda _, g: (backward(g),))
    return lambda h_BH, carry, x_BE: same(h_BH)


def rooted(self, params, carry, x_BE):
    """Its slope is infinite at zero inputs, but from the initial carry."""
    size_BH = jnp.abs(x_BE @ params["kernel"])[:, : self.features]
    return (carry[0] / 2 + jnp.sqrt(jnp.where(carry[0] != 0, size_BH, 1.0)),)


def dropped_everywhere(self, params, carry, x_BE, h_BH):
    return MGUCell.step(self, params, (h_BH,), x_BE, h_BH)


def dropped_nowhere(self, params, carry, x_BE, h_BH):
    return MGUCell.step(self, params, carry, x_BE, carry[0])


def traced(h_BH, carry, x_BE):
    return h_BH if isinstance(h_BH, jax.core.Tracer) else 1.1 * h_BH


calls = []


def counting(h_BH, carry, x_BE):
    calls.append(1)
    return h_BH / len(calls)


FAULTS = {
    "contract: another structure": stepping(lambda h, carry, x: jnp.concatenate([h, h])),
    "contract: rows that meet": stepping(lambda h, carry, x: h - h.mean(0)),
    "contract: not finite at zero": stepping(lambda h, carry, x: h + 0 * x[:, :1] / x[:, :1]),
    "contract: side effects": stepping(counting),
    "masks: not finite at zero later": of(step=rooted),
    "gradients: too large": stepping(with_gradient(lambda g: 1.5 * g)),
    "gradients: stopped": stepping(lambda h, carry, x: h + jax.lax.stop_gradient(0.1 * h)),
    "rows: gradients that meet": stepping(with_gradient(lambda g: g + g.mean(0) - g.mean(0)[::-1])),
    "rows: gradients of the batch's mean": stepping(with_gradient(lambda g: 0 * g + g.mean(0))),
    "transformations: another step in jit": stepping(traced),
    "affine: another slope": of(
        DecayCell, step=lambda self, p, carry, x: (0.8 * carry[0] + x @ p,)
    ),
    "dropout: everywhere": of(MGUCell, step=dropped_everywhere),
    "dropout: nowhere": of(MGUCell, step=dropped_nowhere),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_refused_by_name(fault):
    name = fault.partition(":")[0]
    with pytest.raises(AssertionError) as refusal:
        check_cell(FAULTS[fault], checks=[name])
    said = str(refusal.value).splitlines()
    assert said[0] == f"{__name__}:Faulty fails {name}"
    (line,) = (line for line in said if line.startswith(name))
    assert line.split()[1] == "failed"


def test_a_state_between_calls_is_refused():
    """An output with something of the last call, hidden from JAX; the contract looks away here."""
    last = [np.zeros((), np.float32)]

    def remembered(h_BH):
        before, last[0] = last[0], np.asarray(h_BH).sum(dtype=np.float32)
        return np.float32(before)

    def output(self, params, carry, x_BE):
        shape = jax.ShapeDtypeStruct((), np.float32)
        return carry[0] + jax.pure_callback(remembered, shape, carry[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contract, "check_created", lambda *_, **__: None)
        report = check_cell(of(output=output), checks=["streaming"], raises=False)
    assert report.failed == ("streaming",)
    assert "Is something kept between calls" in str(report)


def test_an_implementation_that_gives_something_else_is_refused(monkeypatch):
    def wrong(step, params, carry, x_BT, mask, sequences):
        carry, y_BTH = plain.scan(step, params, carry, x_BT, mask, sequences)
        return carry, 1.001 * y_BTH

    monkeypatch.setitem(IMPLEMENTATIONS, "wrong", Implementation(wrong))
    report = check_cell(MinimalCell, checks=["implementations"], raises=False)
    assert report.failed == ("implementations",) and "worst: wrong, " in str(report)


def test_a_step_that_computes_in_float32_alone_is_let_through():
    report = check_cell(stepping(lambda h, carry, x: h.astype("float32")), checks=["gradients"])
    (check,) = (check for check in report.checks if check.name == "gradients")
    assert check.verdict == "does not apply" and "does not compute in float64" in check.says


def test_the_report_is_a_table():
    report = check_cell(MinimalCell, checks=["contract", "masks"])
    lines = str(report).splitlines()
    assert lines[0] == "guests:MinimalCell passes" and len(lines) == 2 + len(CHECKS)
    assert "deviation" in lines[1] and "0.0e+00" in lines[3]
    assert lines[4].split()[:3] == ["gradients", "not", "run"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.cell = "another"


def test_after_a_broken_contract_nothing_else_is_run():
    report = check_cell(FAULTS["contract: another structure"], raises=False)
    assert report.failed == ("contract",)
    assert {c.verdict for c in report.checks[1:]} == {"not run"}
    assert f"{__name__}:Faulty.step turns the carry" in report.checks[0].says


def test_options_and_checks_that_there_are_not():
    assert "unexpected keyword" in str(check_cell(MinimalCell, options={"leek": 1}, raises=False))
    with pytest.raises(ValueError, match="unknown checks speed; expected contract, masks, "):
        check_cell(MinimalCell, checks=["speed"])
    assert testing.CHECKS == CHECKS
    assert not jax.config.jax_enable_x64

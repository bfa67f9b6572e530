import jax
import pytest

from rnnsent import costs, model
from rnnsent.cells import CELLS


@pytest.mark.parametrize("cell", costs.GATES)
def test_products_are_the_kernels_once_per_row_and_step(cell):
    config = model.ModelConfig(cell=cell)
    kernels = sum(
        (inputs + features) * costs.GATES[cell] * features
        for inputs, features in ((32, 128), (128, 64))
    )
    assert costs.flops(config, 6, 5, train=False) == 2 * 6 * 5 * kernels
    assert costs.flops(config, 6, 5, train=True) == 3 * 2 * 6 * 5 * kernels
    declared = model.init(config, jax.random.key(0))
    counted = sum(
        declared[layer][name].size
        for layer in ("layer_0", "layer_1")
        for name in ("kernel", "recurrent_kernel")
    )
    assert kernels == counted


def test_counts_of_the_notebooks_lstm():
    config = model.PRESETS["lstm"]
    assert costs.flops(config, 512, 132, train=True) == 3 * 512 * 132 * (163_840 + 98_304)
    assert costs.transcendentals(config, 512, 132) == 5 * 512 * 132 * 192
    assert costs.traffic_bytes(config, 512, 132, train=False) == 512 * 132 * 32 * 4


def test_every_cell_is_counted():
    assert set(CELLS) == set(costs.GATES) == set(costs.TRANSCENDENTALS) == set(costs.CARRIES)
    for name, cell in CELLS.items():
        assert cell.carry_size == costs.CARRIES[name]

"""The affine cells beside what other people's programs made of the same weights."""

import jax
import numpy as np
import pytest
from cells import theirs

from rnnsent.cells import CELLS
from rnnsent.layers import Recurrent

THEIRS = {
    # mingru_keras.MinGRU of mingru-keras 0.1.3, on Keras 3.15.1 and JAX 0.10.2.
    "min_gru": [
        [[0.0206924767, 0.6048514324], [-0.8899119306, -1.2779559667],
         [-1.4128603337, -1.0044998906], [-0.6857870671, 0.0316128632],
         [-0.9451455863, -1.352801554]],
        [[-0.9753992306, 0.1537911919], [-0.4541686614, 0.6915829985],
         [-0.9505875964, -1.2504988737], [-1.4182721652, -0.9839964416],
         [-0.6596601355, 0.0615755918]],
    ],
    # minGRU_pytorch.minLSTM of minGRU-pytorch 0.2.1, on torch 2.14.1.
    "min_lstm": [
        [[-1.2091480096, 2.2419046578], [-0.5208034466, 0.9846583623], [0.1365405199, 0.7797221725],
         [-1.2212533742, 2.2501309366], [-0.5464672242, 1.0154867495]],
        [[0.5823481605, -0.1388704681], [-1.2215132918, 2.2344687706],
         [-0.5647118172, 1.0287812091], [0.1766397473, 0.8151028258],
         [-1.2519535569, 2.2430086862]],
    ],
    # LRU_pytorch.LRU of lru-pytorch 0.1.3, on torch 2.14.1.
    "lru": [
        [[0.0816894583, 0.1005820495], [-0.9799754562, 1.0138887522], [0.8597422684, -1.0348437034],
         [0.3713104001, 0.0080728765], [-0.8861160481, 0.9369267374]],
        [[0.7319393153, -0.9949911086], [-0.0814563375, 0.2313782969], [-1.26348242, 1.1202254067],
         [0.6291241929, -0.9370631539], [0.12463772, 0.1765154605]],
    ],
    # memax.equinox.semigroups.lru.LRU of memax 0.1.1, on JAX 0.10.2.
    "lru_of_one_width": [
        [[-0.4783262737, 1.1968074779], [-0.1810774462, 1.1334656999],
         [0.6971756559, -0.8910318374], [0.875029993, -1.6263114545], [0.0238111915, 0.1213565186]],
        [[-0.3838608428, 1.4877245525], [0.2886541918, 0.0924867938], [0.9032004356, -1.6529647423],
         [0.3947298908, -0.9023402194], [-0.5345662271, 1.1347494453]],
    ],
}  # fmt: skip


@pytest.mark.parametrize("implementation", ["scan", "associative"])
@pytest.mark.parametrize("name", THEIRS)
def test_other_peoples_programs_gave_the_same(name, implementation):
    """In float64, to the tenth digit that is written here."""
    cell = CELLS["lru" if name.startswith("lru") else name](theirs.H)
    with jax.enable_x64(True):
        model = Recurrent([cell], implementation=implementation)
        variables = {"params": {"cells_0": theirs.weights(name)}}
        _, y_BTH = jax.jit(model.apply)(variables, theirs.inputs(name))
    assert y_BTH.dtype == np.float64
    np.testing.assert_allclose(y_BTH, THEIRS[name], rtol=0, atol=1e-10)

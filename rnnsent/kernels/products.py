"""Matrix products whose weight gradient a CPU computes fast.

The gradient of a kernel, ``a.T @ g``, contracts the leading axis of both operands. XLA's fast CPU
products take a left operand in rows only, so that one, a third of all arithmetic in training, falls
to a slower routine (on one AVX2 core 57 against 79 GFLOP/s at 256 rows, 160 and 512 columns).
Transposing ``a`` first, which is small, lets all three take the fast one.
"""

import jax
from jax.extend import core

from rnnsent.cells import Array


@jax.custom_vjp
def product(a_MK: Array, b_KN: Array) -> Array:
    """``a @ b``; in reverse mode the gradient of ``b`` is computed from a transposed copy of a."""
    return a_MK @ b_KN


def _forward(a_MK, b_KN):
    return a_MK @ b_KN, (a_MK, b_KN)


def _backward(kept, g_MN):
    a_MK, b_KN = kept
    a_KM = jax.lax.optimization_barrier(a_MK.T)  # else the compiler folds the transpose back in
    return g_MN @ b_KN.T, a_KM @ g_MN


product.defvjp(_forward, _backward)


def substitute(function):
    """The same function of arrays with each plain ``a @ b`` in it computed by :func:`product`."""

    def substituted(*arguments):
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        equations = [_substituted(equation) for equation in closed.jaxpr.eqns]
        closed = core.ClosedJaxpr(closed.jaxpr.replace(eqns=equations), closed.consts)
        out = core.jaxpr_as_fun(closed)(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), out)

    return substituted


def _substituted(equation: core.JaxprEqn) -> core.JaxprEqn:
    if not _is_plain_product(equation):
        return equation
    (call,) = jax.make_jaxpr(product)(*(v.aval for v in equation.invars)).jaxpr.eqns
    return equation.replace(primitive=call.primitive, params=call.params)


def _is_plain_product(equation: core.JaxprEqn) -> bool:
    """Whether it is ``(M, K) @ (K, N)`` in one dtype, at the default precision."""
    if equation.primitive.name != "dot_general":
        return False
    return (
        equation.params["dimension_numbers"] == (((1,), (0,)), ((), ()))
        and equation.params["precision"] is None
        and {v.aval.dtype for v in equation.invars} == {equation.outvars[0].aval.dtype}
        and all(v.aval.ndim == 2 for v in equation.invars)
    )

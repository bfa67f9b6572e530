"""What several kernels refuse, in the same words."""

from typing import Any

import jax


def require_float32(who: str, arrays: Any) -> None:
    """Raises ``ValueError`` in the name of ``who`` unless every array of a pytree is float32."""
    dtypes = {str(a.dtype) for a in jax.tree.leaves(arrays)}
    if dtypes != {"float32"}:
        raise ValueError(
            f"{who} takes float32, got {', '.join(sorted(dtypes))}; convert the arrays, or use "
            "implementation='scan'"
        )

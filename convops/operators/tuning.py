"""Measuring the engines on the spot, and keeping what was found."""

import json
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from .arrays import number, traced
from .base import LinearOperator
from .batching import Batched
from .engines import ENGINES, able
from .norms import scattered
from .products import apply, apply_adjoint
from .windowed import Convolution, rebuild

Times = dict[str, float]  # microseconds of a forward and an adjoint application, by engine
_FOUND: dict[str, Times] = {}


def tune(A: Any, *, file: Any = None, seconds: float = 0.2) -> Any:
    """Return an operator with the fastest engine for each of its convolutions, found by measuring them here and now.

    Every engine that can compute a convolution applies it and its adjoint to numbers without structure; the least sum
    of the two medians wins. What is found is remembered for the process: another convolution of the same shapes,
    dtype, structure and device is not measured again, and `explain` tells the times.

    Parameters
    ----------
    A : LinearOperator
        A convolution, or any operator made of some; its kernels must not be traced.
    file : path, optional
        A JSON file that the times are read from before, and written to after measuring.
    seconds : float
        Time to spend on one engine, compilation apart.

    Returns
    -------
    LinearOperator
        The same matrix.

    Raises
    ------
    ValueError
        If `A` is no operator or holds traced arrays, `file` holds something else, or `seconds` is no number.

    Examples
    --------
    >>> import convops as co
    >>> A = co.convolution([1.0, 2.0, 1.0], 100)
    >>> print(co.tune(A, seconds=0.01).shape)
    (100, 100)
    """
    if not isinstance(A, LinearOperator):
        raise ValueError(f"`A` is a {type(A).__name__}; give an operator")
    if any(map(traced, jax.tree.leaves(A))):
        raise ValueError("`A` holds traced arrays, which cannot be timed; tune it outside jit, vmap and grad")
    seconds = number(seconds, "seconds", "a number of seconds, at least 0", least=0)
    if file is not None and Path(file).exists():
        _FOUND.update(_read(Path(file)))

    def tuned(part: Any) -> Any:
        if not isinstance(part, Convolution) or part.window.empty:
            return part
        key = _key(part)
        if key not in _FOUND:
            _FOUND[key] = measured(part, seconds)
        found = _rebuilt(part, _fastest(_FOUND[key]))
        return replace(found, facts=part.facts, left_out=part.left_out)

    best = jax.tree.map(tuned, A, is_leaf=lambda part: isinstance(part, Convolution))
    if file is not None:
        _write(Path(file))
    return best


def _rebuilt(op: Convolution, method: str) -> Convolution:
    """Return `op` with another engine; a batch of convolutions, of which only shapes decide, may keep its own."""
    if op._batch and method == op.method:
        return replace(op, requested=method)
    make: Any = lambda kernel: rebuild(op, kernel, method=method)  # noqa: E731
    for _ in op._batch:
        make = jax.vmap(make)
    return make(op.kernel)


def _batched(op: Any, sizes: tuple[int, ...]) -> Any:
    """An operator whose arrays have batch axes as the block diagonal that it stands for."""
    for size in reversed(sizes):
        op = Batched(op=op, in_shape=(size, *op.in_shape), out_shape=(size, *op.out_shape))
    return op


def _fastest(times: Times) -> str:
    return min(times, key=times.__getitem__)


def _write(file: Path) -> None:
    """Put the new file in the place of the old in one step: whoever reads meanwhile finds one of the two."""
    whole = file.with_name(f"{file.name}.{os.getpid()}")
    whole.write_text(json.dumps(_FOUND, indent=1))
    whole.replace(file)


def _read(file: Path) -> dict[str, Times]:
    """The times kept in a file, or a refusal of any other file."""
    try:
        found = json.loads(file.read_text())
        times = {str(key): {name: float(each[name]) for name in ENGINES if name in each} for key, each in found.items()}
        if not all(times.values()):
            raise ValueError
        return times
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"`file` is {str(file)!r}, which `tune` did not write; name another, or a new one") from None


def measured(op: Convolution, seconds: float) -> Times:
    """Time the engines in turn, so that what disturbs one disturbs all."""
    facts = op._facts()
    names = [name for name in ENGINES if able(facts, name) or (op._batch and name == op.method)]
    candidates = {name: _batched(_rebuilt(op, name), op._batch) for name in names}
    shapes = ((*op._batch, *shape) for shape in (op.in_shape, op.out_shape))
    x, y = (scattered(shape, jnp.promote_types(op.dtype, jnp.float32)) for shape in shapes)
    for candidate in candidates.values():
        jax.block_until_ready((apply(candidate, x), apply_adjoint(candidate, y)))
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    until = time.perf_counter() + seconds * len(candidates)
    while time.perf_counter() < until or len(next(iter(taken.values()))) < 3:
        for name, candidate in candidates.items():
            begin = time.perf_counter()
            jax.block_until_ready((apply(candidate, x), apply_adjoint(candidate, y)))
            taken[name].append(1e6 * (time.perf_counter() - begin))
    return {name: statistics.median(times) for name, times in taken.items()}


def remembered(op: Convolution) -> Times | None:
    """What was measured for such a convolution, fastest first, where its engine is the fastest."""
    times = _FOUND.get(_key(op)) if op.requested != "auto" else None
    if not times or _fastest(times) != op.method:
        return None
    return dict(sorted(times.items(), key=lambda item: item[1]))


def _key(op: Convolution) -> str:
    """Everything that the times depend on."""
    facts = op._facts()
    kind = jax.devices()[0].device_kind
    structure = (facts.taps, facts.terms and len(facts.terms), facts.even)
    shapes = f"{op.in_shape}, {op.axes}, {op.kernel.shape}, {'channels, ' * op.channels}{op.dtype}"
    return f"{kind}, {shapes}, {op.window}, {structure}"

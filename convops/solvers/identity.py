"""What a run is: the program of its steps and the data it works on, as digests that another process finds again."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NAMES = {"matvec": "the operator or its weight", "rhs": "the data or the start", "preconditioner": "`preconditioner`"}


def identity(method: Any, problem: Any, state: Any) -> dict[str, Any]:
    """The method, a digest of the program of a step, one of every array, and one of those that only say when to stop.

    The program is the text that the step is lowered to. It holds what the arrays do not: the kind of operator and its
    settings, the optimizer, and what a penalty does, with the numbers that it closes over.
    """
    stops = {name: getattr(problem, name) for name in getattr(problem, "stops", ())}
    rest = problem._replace(**dict.fromkeys(stops)) if stops else problem
    step = jax.jit(lambda p, s: (method.step(p, s), method.done(p, s), method.report(p, s)))
    return {
        "method": type(method).__name__,
        "program": hashlib.sha256(step.lower(problem, state).as_text().encode()).hexdigest(),
        "data": _digests(rest),
        "stops": _digests(stops),
        "jax": jax.__version__,
    }


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """What a run was begun with that is not what it is resumed with, in words; empty if it is the same run."""
    if ours["method"] != theirs["method"]:
        return f"by the method {theirs['method']}, and this is {ours['method']}"
    mine, other = ours["data"], theirs["data"]
    changed = [path for path in mine | other if mine.get(path) != other.get(path)]
    if changed:
        return f"with other numbers in {', '.join(dict.fromkeys(map(_argument, changed)))}"
    if ours["program"] != theirs["program"]:
        versions = f", or jax {theirs['jax']} and not {ours['jax']}" if ours["jax"] != theirs["jax"] else ""
        return f"with other settings (the operator's, an optimizer, a penalty, a projection{versions})"
    return ""


def on_host(leaf: Any) -> np.ndarray:
    """A leaf as a NumPy array that can be saved: random keys as numbers, bfloat16 and its like as plain bits."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    return array.view(f"u{array.dtype.itemsize}") if array.dtype.kind == "V" else array


def on_device(array: np.ndarray, like: jax.Array) -> jax.Array:
    """Undo `on_host`, where `like` lies."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))
    whole = jnp.asarray(array.view(like.dtype) if like.dtype.kind == "V" else array)
    return jax.device_put(whole, like.sharding) if like.committed else whole


def _digests(tree: Any) -> dict[str, str]:
    """A digest of dtype, shape and bytes for every leaf."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        array = on_host(leaf)
        digest = hashlib.sha256(f"{jnp.result_type(leaf)} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        found[jax.tree_util.keystr(path)] = digest.hexdigest()
    return found


def _argument(path: str) -> str:
    """What the user calls the part of the problem that a leaf belongs to."""
    name = path.lstrip(".").split(".")[0].split("[")[0]
    return NAMES.get(name, f"`{name}`")

"""Frozen dataclasses as pytrees: arrays are leaves, everything else is structure."""

import dataclasses
from typing import Any

import jax


def static(**options: Any) -> Any:
    """Mark a dataclass field as part of the operator's structure, not one of its arrays."""
    return dataclasses.field(metadata={"static": True}, **options)


def register(cls: Any) -> None:
    """Make a class a frozen keyword-only dataclass and a pytree whose fields are leaves unless `static`.

    jax's own `register_dataclass` rebuilds through ``__init__``; here children may be anything that a tree.map or a
    vmap puts there, and nothing is validated again.
    """
    dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)(cls)
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    leaves = tuple(f.name for f in fields if "static" not in f.metadata)
    statics = tuple(f.name for f in fields if "static" in f.metadata)
    keys = tuple(jax.tree_util.GetAttrKey(name) for name in leaves)

    def flatten(op: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(op, n) for n in leaves), tuple(getattr(op, n) for n in statics)

    def flatten_with_keys(op: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        children, structure = flatten(op)
        return tuple(zip(keys, children, strict=True)), structure

    def unflatten(structure: tuple[Any, ...], children: Any) -> Any:
        op = object.__new__(cls)
        for name, value in (*zip(leaves, children, strict=True), *zip(statics, structure, strict=True)):
            object.__setattr__(op, name, value)
        return op

    cls.__getstate__ = lambda op: {name: getattr(op, name) for name in leaves + statics}  # for pickle and copy
    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)

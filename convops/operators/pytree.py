"""Frozen dataclasses as pytrees: arrays are leaves, everything else is structure."""

import dataclasses
from typing import Any

import jax


def static(**options: Any) -> Any:
    """Mark a dataclass field as part of the operator's structure, not one of its arrays."""
    return dataclasses.field(metadata={"static": True}, **options)


def nested(op: Any, kind: Any) -> list[Any]:
    """The outermost objects of a kind that another of its fields hold."""
    parts = jax.tree.leaves(op, is_leaf=lambda part: isinstance(part, kind) and part is not op)
    return [part for part in parts if isinstance(part, kind)]


class Structure:
    """The static fields of an operator, hashed once: jit looks every argument up by them."""

    __slots__ = ("_hash", "values")

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self._hash = hash(values)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Structure) and self.values == other.values)

    def __repr__(self) -> str:
        return repr(self.values)


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

    def flatten(op: Any) -> tuple[tuple[Any, ...], Structure]:
        held = op.__dict__
        structure = held.get("_structure")
        if structure is None:
            structure = held["_structure"] = Structure(tuple(getattr(op, n) for n in statics))
        return tuple([getattr(op, n) for n in leaves]), structure

    def flatten_with_keys(op: Any) -> tuple[tuple[Any, ...], Structure]:
        children, structure = flatten(op)
        return tuple(zip(keys, children, strict=True)), structure

    def unflatten(structure: Structure, children: Any) -> Any:
        op = object.__new__(cls)
        held = op.__dict__
        held.update(zip(leaves, children, strict=True))
        held.update(zip(statics, structure.values, strict=True))
        held["_structure"] = structure
        return op

    cls.__getstate__ = lambda op: {name: getattr(op, name) for name in leaves + statics}  # for pickle and copy
    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)

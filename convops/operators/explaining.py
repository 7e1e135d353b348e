"""What a convolution's matrix is, what it would cost, and how it is computed, in words."""

from typing import TYPE_CHECKING

from .engines import ENGINES, choose, separable
from .engines.facts import Facts

if TYPE_CHECKING:
    from .windowed import Convolution

LOCALITY = {
    "stencil": "a NaN or infinity in the input stays within the kernel's reach",
    "separable": "a NaN or infinity in the input stays within the kernel's reach",
    "xla": "a NaN or infinity in the input stays within the kernel's reach",
    "fourier": "a NaN or infinity in the input spreads to the whole output; rounding errors are relative to the "
    "largest entry",
    "dct": "a NaN or infinity in the input spreads to the whole output; rounding errors are relative to the largest "
    "entry",
    "overlap": "a NaN or infinity in the input spreads over its block of outputs; rounding errors are relative to "
    "the largest entry of the block",
}


def explanation(op: "Convolution", facts: Facts) -> str:
    """Matrix, engine and why, what every other engine would cost, memory, and what a NaN does."""
    m, n = op.shape
    describe = ENGINES[op.method].describe(op.window, op.structure, facts.itemsize * facts.planes)
    return (
        f"{op!r}\n"
        f"matrix: {m:,} x {n:,} {op.dtype}, {op.nnz:,} non-zero entries; {op.nbytes('dense'):,} bytes dense, "
        f"{op.nbytes('csr'):,} as CSR, {op.nbytes('operator'):,} as this operator\n"
        f"engine: {op.method} ({_reason(op)}); {describe}\n"
        f"{_predicted(facts)}\n"
        f"numerics: {LOCALITY[op.method]}{_tail(op, facts)}"
    )


def _reason(op: "Convolution") -> str:
    from .tuning import remembered

    measured = remembered(op)
    if measured is not None:
        return "measured by `tune`: " + ", ".join(f"{name} {_time(cost)}" for name, cost in measured.items())
    return choose(op._facts(), op.requested).reason


def _predicted(facts: Facts) -> str:
    choice = choose(facts)
    times = sorted(choice.costs.items(), key=lambda item: item[1])
    lines = ["predicted: " + ", ".join(f"{name} {_time(cost)}" for name, cost in times)]
    lines += [f"not {name}: {reason}" for name, reason in choice.unsuitable.items()]
    return "\n".join(lines)


def _time(microseconds: float) -> str:
    return f"{microseconds / 1000:.2g} ms" if microseconds >= 1000 else f"{microseconds:.2g} us"


def _tail(op: "Convolution", facts: Facts) -> str:
    size = "{:.1e} times the largest sample"
    text = ""
    if op.requested == "auto":
        text += "; with other shapes `auto` may take an engine that differs in this: name a `method` to keep one"
    if op.method == "separable" and facts.terms is not None:
        text += "; leaving out the kernel's rounding changes an output by at most " + size.format(
            separable.dropped(facts)
        )
    if op.left_out is not None:
        text += f"; `rank` leaves out at most {size.format(float(op.left_out))} of each output"
    return text

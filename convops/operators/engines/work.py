"""What an application takes, counted; the time of each count is in the table of `costs`."""

from typing import NamedTuple

CACHE = 2**24  # bytes of a padded signal beyond which its transforms go through memory that is new to every product


class Work(NamedTuple):
    """Amounts of work of one application."""

    calls: float = 0  # operations that start threads
    bytes: float = 0  # read and written
    taps: float = 0  # terms of a fused sum, in single-precision numbers
    transforms: float = 0  # points times log2 of the length, many rows at once
    lone_transforms: float = 0  # the same for one long row
    products: float = 0  # multiplications in products of matrices
    mixes: float = 0  # complex multiplications of channels, frequency by frequency
    tiles: float = 0  # turns of a loop over tiles
    patches: float = 0  # numbers copied into the matrix of patches that XLA's convolution multiplies

    def __add__(self, other: "Work") -> "Work":  # type: ignore[override]
        return Work(*(a + b for a, b in zip(self, other, strict=True)))

    def cost(self, table: dict[str, float]) -> float:
        """Predicted time in microseconds."""
        return sum(amount * table[name] for name, amount in zip(self._fields, self, strict=True)) * 1e-3


def streamed(size: float, axes: int) -> float:
    """Bytes that a pair of transforms along several axes moves through memory, of a padded signal of so many bytes."""
    return 10.0 * axes * size if axes > 1 and size > CACHE else 0.0

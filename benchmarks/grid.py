"""What is measured: the points of the grid, each one operation on one kernel and one signal."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

SIZES_1D = (10_000, 1_000_000)
TAPS_1D = (5, 65, 1025, 10_001)
SIZES_2D = (256, 512, 1024, 2048, 4096)
UNEVEN = (611, 1009)  # neither square, nor even, nor a product of small primes
TAPS_2D = (3, 5, 9, 15, 31, 63, 127)
SIZES_3D = (64, 128)
TAPS_3D = (3, 5, 9, 15, 31)
LINE = 51  # length of the motion line, and side of the array that holds it
EXAMPLES = 16
CHANNELS = (3, 16, 64)


@dataclasses.dataclass(frozen=True)
class Point:
    """One operation on one kernel and one signal; every kernel is odd, so that all conventions for centres agree."""

    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    kind: str = "dense"  # or "gaussian" (rank one), "motion" (mostly zeros)
    operation: str = "forward"  # or "adjoint", "gram" (A^H A), "kernel_gradient"
    mode: str = "same"
    boundary: str = "zero"
    dtype: str = "float32"
    layout: str = "single"  # or "batch" (one kernel), "kernels" (one an example), "channels"
    count: int = 1  # examples, or channels in and out

    @property
    def ndim(self) -> int:
        return len(self.kernel)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the convolution along the kernel's axes."""
        if self.mode == "full":
            return tuple(n + k - 1 for n, k in zip(self.shape, self.kernel, strict=True))
        return self.shape

    @property
    def work(self) -> float:
        """Multiply-adds of a direct sum, zeros included; one for all channels in, which are products of matrices."""
        twice = 2 if self.operation in ("gram", "kernel_gradient") else 1
        return float(math.prod(self.out_shape)) * math.prod(self.kernel) * self.count * twice

    @property
    def family(self) -> str:
        """The table that the point belongs to."""
        if self.operation != "forward":
            return self.operation.replace("_", " ")
        if self.dtype != "float32":
            return self.dtype
        if self.layout != "single":
            return {"batch": "batch", "kernels": "one kernel an example", "channels": "channels"}[self.layout]
        if (self.mode, self.boundary) != ("same", "zero"):
            return "boundaries"
        suffix = {"dense": "", "gaussian": " rank one", "motion": " sparse"}[self.kind]
        return f"{self.ndim}-D{suffix}"

    @property
    def name(self) -> str:
        """What is special about the point, in words; unique in the grid."""
        signal, taps = ("x".join(map(str, side)) for side in (self.shape, self.kernel))
        words = [f"{self.ndim}-D", self.operation.replace("_", " "), f"{signal}, {taps} taps"]
        words += [self.kind] * (self.kind != "dense")
        words += [self.boundary] * (self.boundary != "zero") + [self.mode] * (self.mode != "same")
        words += {"batch": [f"{self.count} examples"], "kernels": [f"{self.count} kernels"]}.get(self.layout, [])
        words += [f"{self.count} channels"] * (self.layout == "channels")
        words += [self.dtype] * (self.dtype != "float32")
        return " ".join(words)

    def as_json(self) -> dict[str, Any]:
        """Fields as JSON can hold them."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Point":
        """The inverse of `as_json`."""
        return Point(**{**fields, "shape": tuple(fields["shape"]), "kernel": tuple(fields["kernel"])})


def square(size: int, taps: int, ndim: int = 2, **fields: Any) -> Point:
    """A point with the same size and the same number of taps along every axis."""
    return Point((size,) * ndim, (taps,) * ndim, **fields)


def _lines() -> Iterator[Point]:
    for size in SIZES_1D:
        for taps in TAPS_1D:
            for operation in ("forward", "adjoint"):
                yield Point((size,), (taps,), operation=operation)
    yield Point((1_000_000,), (65,), operation="kernel_gradient")
    for taps in (65, 10_001):
        yield Point((1_000_000,), (taps,), dtype="float64")


def _images() -> Iterator[Point]:
    for taps in TAPS_2D:
        for size in SIZES_2D:
            yield square(size, taps)
        yield Point(UNEVEN, (taps, taps))
    for taps in (3, 9, 31, 127):
        for size in (512, 2048):
            yield square(size, taps, operation="adjoint")
        yield Point(UNEVEN, (taps, taps), operation="adjoint")
    for size in (512, 2048):
        for taps in (9, 15, 31, 63):
            yield square(size, taps, kind="gaussian")
    for size in (512, 1024, 2048):
        yield square(size, LINE, kind="motion")
    yield square(1024, 31, kind="gaussian", operation="adjoint")
    yield square(1024, LINE, kind="motion", operation="adjoint")


def _volumes() -> Iterator[Point]:
    for size in SIZES_3D:
        for taps in TAPS_3D:
            yield square(size, taps, 3)
    for taps in (3, 9, 31):
        yield square(64, taps, 3, operation="adjoint")
    yield square(128, 5, 3, operation="adjoint")
    yield square(64, 5, 3, operation="kernel_gradient")
    yield square(64, 9, 3, dtype="float64")


def _boundaries() -> Iterator[Point]:
    for boundary in ("wrap", "symmetric"):
        for size in (512, 1024):
            for taps in (3, 9, 31):
                yield square(size, taps, boundary=boundary)
        yield square(512, 31, boundary=boundary, operation="adjoint")
        yield square(512, 31, boundary=boundary, kind="gaussian")
    yield square(1024, 9, boundary="symmetric", operation="adjoint")
    yield square(64, 9, 3, boundary="wrap")
    yield Point((1_000_000,), (1025,), boundary="symmetric")


def _products() -> Iterator[Point]:
    """Gram operators, where they are exact with one pair of transforms, and gradients with respect to the kernel."""
    for taps in (3, 9, 31):
        for size in (512, 1024):
            yield square(size, taps, boundary="wrap", operation="gram")
            yield square(size, taps, mode="full", operation="gram")
            yield square(size, taps, operation="kernel_gradient")
    for boundary, mode in (("wrap", "same"), ("zero", "full")):
        yield Point((1_000_000,), (1025,), boundary=boundary, mode=mode, operation="gram")
        yield square(64, 9, 3, boundary=boundary, mode=mode, operation="gram")


def _layouts() -> Iterator[Point]:
    for size in (512, 2048):
        for taps in (5, 15, 63):
            yield square(size, taps, dtype="float64")
    for taps in (3, 9, 31):
        yield square(256, taps, layout="batch", count=EXAMPLES)
        yield square(256, taps, layout="kernels", count=EXAMPLES)
    yield square(256, 9, layout="batch", count=EXAMPLES, operation="adjoint")
    yield Point((10_000,), (65,), layout="batch", count=EXAMPLES)
    for channels in CHANNELS:
        for taps in (3, 9):
            yield square(256 if channels < 64 else 128, taps, layout="channels", count=channels)
    yield square(256, 3, layout="channels", count=16, operation="adjoint")


def full_grid() -> list[Point]:
    """Every point."""
    parts: Iterable[Iterator[Point]] = (_lines(), _images(), _volumes(), _boundaries(), _products(), _layouts())
    return [point for part in parts for point in part]


def quick_grid() -> list[Point]:
    """A few points of every family, none of them large."""
    return [
        Point((10_000,), (65,)),
        Point((10_000,), (10_001,)),
        Point((1_000_000,), (5,)),
        Point((1_000_000,), (1025,), operation="adjoint"),
        *(square(512, taps) for taps in (3, 9, 15, 31, 63)),
        square(2048, 5),
        square(2048, 31),
        Point(UNEVEN, (9, 9), operation="adjoint"),
        square(512, 31, operation="adjoint"),
        square(512, 31, kind="gaussian"),
        square(512, LINE, kind="motion"),
        square(64, 5, 3),
        square(64, 15, 3),
        square(64, 9, 3, operation="adjoint"),
        square(512, 9, boundary="symmetric"),
        square(512, 31, boundary="wrap"),
        square(512, 31, boundary="wrap", operation="gram"),
        square(512, 31, mode="full", operation="gram"),
        square(512, 9, operation="kernel_gradient"),
        square(512, 15, dtype="float64"),
        square(256, 9, layout="batch", count=EXAMPLES),
        square(256, 9, layout="kernels", count=EXAMPLES),
        square(256, 3, layout="channels", count=16),
    ]

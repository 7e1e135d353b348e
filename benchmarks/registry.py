"""Whom convops is compared with, and what each of them does exactly: the only list of peers.

Groups: ``python`` are the packages a Python user would reach for, ``operators`` those of them that `lax.conv` and the
linear-operator packages make up, ``native`` the compiled references with everything precomputed that can be.
"""

import dataclasses
import importlib
import importlib.util
import math
from collections.abc import Callable
from typing import Any

from .grid import Point
from .problem import Problem

ALL_LAYOUTS = ("single", "batch", "kernels", "channels")
PRODUCTS = ("forward", "adjoint", "gram")
WITH_GRADIENT = (*PRODUCTS, "kernel_gradient")
XLA_IN_3D = 4e7  # XLA convolves volumes some twenty times slower than images
EVERY_BOUNDARY = ("zero", "wrap", "symmetric")


@dataclasses.dataclass(frozen=True)
class Peer:
    """A function of another package, and the points at which it does the same job as convops."""

    name: str
    module: str  # what must be importable
    distribution: str  # whose version is reported
    builder: str  # "module:function" below benchmarks.peers; function(problem) returns what is timed
    groups: tuple[str, ...]
    environment: str = ""  # the virtual environment it runs in; "" is this process
    ndims: tuple[int, ...] = (1, 2, 3)
    operations: tuple[str, ...] = PRODUCTS
    modes: tuple[str, ...] = ("same", "full")
    boundaries: tuple[str, ...] = ("zero",)
    kinds: tuple[str, ...] = ("dense", "gaussian", "motion")
    layouts: tuple[str, ...] = ("single", "batch")
    folds: bool = False  # whether it has the adjoint of the symmetric boundary
    long_kernels: bool = True  # whether a kernel may be longer than the signal
    most: float = math.inf  # work of a direct sum; with more it takes seconds, and is not the fastest peer
    most_in_3d: float = math.inf  # the same for volumes
    most_doubles: float = math.inf  # samples in double precision; with more jaxlib ends the process on some CPUs

    def refuses(self, point: Point, patience: float = 1.0) -> str:
        """Why the peer is not measured at a point; empty if it is. What is too slow depends on the patience."""
        allowed = {
            "ndim": self.ndims,
            "operation": self.operations,
            "mode": self.modes,
            "boundary": self.boundaries,
            "kind": self.kinds,
            "layout": self.layouts,
        }
        for field, values in allowed.items():
            if getattr(point, field) not in values:
                return f"has no {field} {getattr(point, field)!r}"
        if point.boundary == "symmetric" and point.operation == "adjoint" and not self.folds:
            return "has no adjoint of the symmetric boundary"
        if not self.long_kernels and any(k > n for k, n in zip(point.kernel, point.shape, strict=True)):
            return "takes no kernel longer than the signal"
        if point.work > patience * (min(self.most, self.most_in_3d) if point.ndim == 3 else self.most):
            return "too slow"
        if point.dtype == "float64" and math.prod(point.shape) > self.most_doubles:
            return "reads beyond the end of large arrays, which ends the process"
        return ""

    def build(self, problem: Problem) -> Callable[[], Any]:
        """What is timed: a function without arguments, which returns when its result is there."""
        return getattr(self._builders(), self.builder.split(":")[1])(problem)

    def missing(self) -> str:
        """Why the peer cannot be had in this process; empty if it can."""
        if importlib.util.find_spec(self.module.split(".")[0]) is None:
            return f"the package {self.distribution} is not installed"
        try:
            self._builders()
        except Exception as error:
            return f"importing {self.module} failed: {type(error).__name__}: {error}"
        return ""

    def _builders(self) -> Any:
        return importlib.import_module(f".peers.{self.builder.split(':')[0]}", __package__)


def _scipy(name: str, function: str, **fields: Any) -> Peer:
    fields = {"module": "scipy.signal", "distribution": "scipy", "groups": ("python",), **fields}
    return Peer(f"scipy {name}", builder=f"by_scipy:{function}", **fields)


def _jax(name: str, function: str, groups: tuple[str, ...], **fields: Any) -> Peer:
    fields = {"boundaries": EVERY_BOUNDARY, "folds": True, "operations": WITH_GRADIENT, **fields}
    fields = {"most_in_3d": XLA_IN_3D if "most" in fields else math.inf, **fields}
    return Peer(name, "jax", "jax", f"by_jax:{function}", groups, **fields)


def _pylops(name: str, ndim: int) -> Peer:
    function = f"by_pylops:convolve_{ndim}d"
    fields: dict[str, Any] = {"operations": ("forward", "adjoint"), "modes": ("same",), "long_kernels": False}
    return Peer(name, "pylops", "pylops", function, ("python", "operators"), ndims=(ndim,), **fields)


def _scico(name: str, function: str, **fields: Any) -> Peer:
    groups = ("python", "operators")
    return Peer(name, "scico", "scico", f"by_scico:{function}", groups, environment="scico", **fields)


def _deepinverse(name: str, function: str, **fields: Any) -> Peer:
    groups = ("python", "operators")
    fields = {"modes": ("same",), "layouts": ("single", "batch", "kernels"), **fields}
    return Peer(name, "deepinv", "deepinv", f"by_deepinverse:{function}", groups, environment="deepinverse", **fields)


PEERS: tuple[Peer, ...] = (
    _scipy("fftconvolve", "by_fft", boundaries=EVERY_BOUNDARY, layouts=("single", "batch", "kernels")),
    _scipy("oaconvolve", "by_overlap", boundaries=EVERY_BOUNDARY, layouts=("single", "batch", "kernels")),
    _scipy("signal.convolve", "by_choice", boundaries=EVERY_BOUNDARY),
    _scipy(
        "ndimage.convolve",
        "by_ndimage",
        module="scipy.ndimage",
        modes=("same",),
        boundaries=EVERY_BOUNDARY,
        most=5e8,
    ),
    _scipy(
        "CSR product",
        "by_matrix",
        module="scipy.sparse",
        boundaries=EVERY_BOUNDARY,
        layouts=("single",),
        folds=True,
        most=2e7,
    ),
    _scipy("fft, spectrum kept", "by_spectrum", module="scipy.fft", groups=("native",), boundaries=("zero", "wrap")),
    Peer(
        "OpenCV filter2D",
        "cv2",
        "opencv-python-headless",
        "by_opencv:dense",
        ("native",),
        ndims=(1, 2),
        operations=("forward", "adjoint"),
        modes=("same",),
        boundaries=("zero", "symmetric"),
        layouts=("single", "batch", "kernels"),
    ),
    Peer(
        "OpenCV sepFilter2D",
        "cv2",
        "opencv-python-headless",
        "by_opencv:separable",
        ("native",),
        ndims=(2,),
        kinds=("gaussian",),
        operations=("forward", "adjoint"),
        modes=("same",),
        boundaries=("zero", "symmetric"),
    ),
    Peer(
        "torch conv",
        "torch",
        "torch",
        "by_torch:convolution",
        ("python",),
        operations=WITH_GRADIENT,
        boundaries=("zero", "wrap"),
        layouts=ALL_LAYOUTS,
        most=1.5e9,
    ),
    Peer(
        "torch conv_transpose",
        "torch",
        "torch",
        "by_torch:transposed",
        ("python",),
        operations=("adjoint",),
        layouts=ALL_LAYOUTS,
        most=1.5e9,
    ),
    Peer(
        "torch fft, spectrum kept",
        "torch",
        "torch",
        "by_torch:spectrum",
        ("native",),
        boundaries=("zero", "wrap"),
        layouts=("single", "batch", "kernels"),
    ),
    _jax("lax.conv", "by_lax", ("python", "operators"), layouts=ALL_LAYOUTS, most=2e8, most_doubles=2e6),
    _jax("jax.scipy convolve", "by_direct", ("python",), long_kernels=False, most=1e8),
    _jax("jax.scipy fftconvolve", "by_fft", ("python",), long_kernels=False),
    _pylops("PyLops Convolve1D", 1),
    _pylops("PyLops Convolve2D", 2),
    _pylops("PyLops ConvolveND", 3),
    _scico("SCICO Convolve", "direct", long_kernels=False, most=1e8, most_in_3d=XLA_IN_3D),
    _scico("SCICO CircularConvolve", "circular", modes=("same",), boundaries=("wrap",)),
    _deepinverse("DeepInverse Blur", "blur", ndims=(2,), boundaries=("zero", "wrap"), most=1.5e9),
    _deepinverse("DeepInverse Blur 3-D", "blur", ndims=(3,), boundaries=("wrap",), most=1.5e9),
    _deepinverse("DeepInverse Blur, use_fft", "blur_by_fft", ndims=(2,), boundaries=("zero", "wrap")),
    _deepinverse("DeepInverse BlurFFT", "circular", ndims=(2,), boundaries=("wrap",), layouts=("single", "batch")),
)


def peer_named(name: str) -> Peer:
    """The peer of a name."""
    return next(peer for peer in PEERS if peer.name == name)

"""How a convolution is computed: one file an engine, the same few functions in each.

``prepare(kernel, window)`` makes what is worth keeping (a pytree of arrays, or None), ``forward`` and ``adjoint``
apply the window of the convolution to the trailing axes of an array, and ``describe(window)`` says what that
takes. A kernel has the window's axes alone, or ``(out, in)`` channels in front of them, and then signals have the
channel axis first. A new engine is a new file here and a line in `ENGINES`.
"""

from types import ModuleType

from . import fourier, stencil

ENGINES: dict[str, ModuleType] = {"stencil": stencil, "fourier": fourier}

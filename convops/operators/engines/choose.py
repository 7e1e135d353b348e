"""Which engine: a rule from the shapes and the number of taps, and its reason in words."""

from ..window import Window

STENCIL_TAPS = 81  # up to here the fused sum was faster than a pair of FFTs on every image size measured


def choose(window: Window, taps: int) -> tuple[str, str]:
    """Return the engine for a kernel of `taps` non-zero elements, and why."""
    del window
    if taps <= STENCIL_TAPS:
        return "stencil", f"{taps} taps, at most {STENCIL_TAPS}: one fused sum beats a pair of FFTs"
    return "fourier", f"{taps} taps, more than {STENCIL_TAPS}: a pair of FFTs beats the sum"

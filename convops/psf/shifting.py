"""A kernel moved by a fraction of a pixel."""

import numpy as np

LEAST = 0.02  # pixels that are worth a shift


def moved(values: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move an array of light by less than a pixel along each axis: two more elements at either end, none below zero.

    Cubic convolution (Keys, IEEE Trans. Acoust. Speech Signal Process. 29 (1981) 1153) moves the centre of mass by
    exactly the shift and, unlike linear interpolation, keeps the width.
    """
    result = values
    for axis, part in enumerate(shift):
        if abs(part) < LEAST:
            continue
        wide = np.pad(result, [(2, 2) if a == axis else (0, 0) for a in range(result.ndim)])
        steps = np.arange(-2, 3)
        result = sum(
            weight * np.roll(wide, step, axis)
            for step, weight in zip(steps, _cubic(steps - part), strict=True)
            if weight
        )
    return np.maximum(result, 0)


def _cubic(away: np.ndarray) -> np.ndarray:
    """Keys' kernel, at distances in pixels."""
    d = np.abs(away)
    near = (1.5 * d - 2.5) * d**2 + 1
    far = ((2.5 - 0.5 * d) * d - 4) * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))

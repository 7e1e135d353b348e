"""Dense matrices of differences."""

import numpy as np


def differences(shape, boundary, axes=None, backward=False):
    """Dense forward (or backward) differences along each axis, built by loops."""
    found = []
    for axis in range(len(shape)) if axes is None else axes:
        D = np.zeros((int(np.prod(shape)),) * 2)
        for here in np.ndindex(shape):
            place = list(here)
            place[axis] += -1 if backward else 1
            if boundary == "wrap":
                place[axis] %= shape[axis]
            elif not 0 <= place[axis] < shape[axis]:
                continue
            row, other = np.ravel_multi_index(here, shape), np.ravel_multi_index(place, shape)
            D[row, other] += -1 if backward else 1
            D[row, row] += 1 if backward else -1
        found.append(D)
    return np.array(found)

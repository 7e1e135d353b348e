"""scikit-image's Richardson and Lucy, from its start of one half."""

from collections.abc import Mapping

import numpy as np
from skimage.restoration import richardson_lucy

from .serving import Solve


def prepare(given: Mapping[str, np.ndarray]) -> Solve:
    """`richardson_lucy` for a number of steps."""
    return lambda: richardson_lucy(given["b"], given["kernel"], num_iter=int(given["steps"]), clip=False)

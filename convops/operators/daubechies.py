"""The filters of the Daubechies wavelets, computed by spectral factorisation."""

import math
from functools import lru_cache

import numpy as np

LARGEST = 10  # vanishing moments; up to here the filters are orthonormal to 2e-15
NAMES = ("haar", *(f"db{p}" for p in range(1, LARGEST + 1)))


@lru_cache(maxsize=32)
def scaling_filter(name: str) -> np.ndarray:
    """Return the scaling filter h of a wavelet with p vanishing moments, 2p numbers with sum sqrt(2).

    ``|H(w)|^2 = 2 cos(w/2)^2p P(sin(w/2)^2)`` with ``P(y) = sum_{k<p} C(p-1+k, k) y^k`` (Daubechies, Comm. Pure Appl.
    Math. 41 (1988) 909, eq. 4.8). Each root y of P gives the pair z, 1/z with y = (2 - z - 1/z)/4; of each the one
    inside the unit circle is taken, which puts the largest coefficients first.

    >>> print(scaling_filter("db2").round(4))
    [ 0.483   0.8365  0.2241 -0.1294]
    """
    p = 1 if name == "haar" else int(name.removeprefix("db"))
    polynomial = np.polynomial.Polynomial([math.comb(p - 1 + k, k) for k in range(p)])
    y = polynomial.roots().astype(complex)
    z = 1 - 2 * y - np.sqrt((1 - 2 * y) ** 2 - 1)
    z = np.where(np.abs(z) < 1, z, 1 / z)
    h = np.ones(1, complex)
    for root in [*[-1.0] * p, *sorted(z, key=abs, reverse=True)]:
        h = np.convolve(h, [1, -root])
    real = np.real(h)
    return real * (math.sqrt(2) / real.sum())


def periodised(name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scaling and wavelet filter, g[m] = (-1)^m h[2p-1-m], wrapped onto a period of n where they are longer.

    That keeps them orthonormal under even shifts, because wrapping turns an inner product into a sum of inner products
    with shifts by multiples of n, which are even.
    """
    h = scaling_filter(name)
    g = h[::-1] * (-1.0) ** np.arange(len(h))
    if len(h) <= n:
        return h, g
    where = np.arange(len(h)) % n
    return np.bincount(where, h, n), np.bincount(where, g, n)

"""Quotients whose divisor may be zero, and their derivatives there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convops.operators.arrays import positive_ratio, ratio


def test_quotients():
    divisors = jnp.array([0.0, -2.0, 2.0])
    np.testing.assert_array_equal(ratio(3.0, divisors), [3.0, -1.5, 1.5])
    np.testing.assert_array_equal(positive_ratio(3.0, divisors), [0.0, 0.0, 1.5])
    np.testing.assert_array_equal(positive_ratio(3.0, divisors, otherwise=1), [1.0, 1.0, 1.5])


@pytest.mark.parametrize(("function", "at_zero"), [(ratio, (1.0, 0.0)), (positive_ratio, (0.0, 0.0))])
def test_their_derivatives_are_finite_at_zero(function, at_zero):
    slope = jax.grad(function, (0, 1))
    np.testing.assert_array_equal(slope(3.0, 0.0), at_zero)
    np.testing.assert_allclose(slope(3.0, 2.0), (0.5, -0.75))

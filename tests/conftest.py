"""What every test runs under: strict rank promotion; 64 bits when JAX_ENABLE_X64 says so; bounded memory."""

import itertools

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
finished = itertools.count(1)


@pytest.fixture(autouse=True)
def bounded_memory():
    """Drop the compiled programs now and then: thousands of them take gigabytes."""
    yield
    if next(finished) % 100 == 0:
        jax.clear_caches()

"""What every test runs under: strict rank promotion; 64 bits when JAX_ENABLE_X64 says so."""

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")

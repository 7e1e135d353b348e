"""The installation itself: a jax that computes right numbers, and an import that costs little."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np


def test_jax_computes_right_numbers():
    """jax 0.10.2 is off by 82 % here on CPUs (jax issue 39103)."""
    M = np.random.default_rng(0).standard_normal((40000, 3)).astype(np.float32)
    rows = np.random.default_rng(1).standard_normal((8, 3)).astype(np.float32)
    got = jax.jit(jax.vmap(lambda r: jnp.sum((jnp.asarray(M) @ r) ** 2)))(rows)
    wanted = [np.sum((M.astype(np.float64) @ r) ** 2) for r in rows]
    np.testing.assert_allclose(got, wanted, rtol=1e-3)
    assert jax.__version__ != "0.10.2"


def test_import_needs_the_core_alone():
    code = (
        "import sys, jax, optax; before = jax.config.values.copy(); import convops;"
        "extras = {'typer', 'imageio', 'tifffile', 'matplotlib', 'lineax', 'PIL', 'png', 'skimage'} & set(sys.modules);"
        "assert not extras, extras; assert jax.config.values == before, 'the import changes the configuration of jax'"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)

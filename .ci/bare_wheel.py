"""Use the installed wheel in an environment that has none of the extras."""

import importlib.util
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jax
import numpy as np

import convops as co

assert "site-packages" in str(Path(co.__file__)), co.__file__
for extra in ("typer", "imageio", "tifffile", "matplotlib", "lineax"):
    assert importlib.util.find_spec(extra) is None, f"{extra} came with the wheel"
assert jax.__version__ != "0.10.2"
psf = co.psf.gaussian(1.5)
image = np.random.default_rng(0).random((40, 37))
A = co.convolution(psf, image.shape, boundary="symmetric")
sol = co.tikhonov(A, A @ image, L=co.gradient(image.shape), weight=1e-4)
assert bool(sol.converged), sol.status
assert A.to_scipy().shape == A.shape
problem = co.problems.classical(1)
assert problem.truth.shape == (256, 256), problem
assert (resources.files("convops") / "data" / "camera.png").is_file()
assert (resources.files("convops") / "py.typed").is_file()
command = Path(sys.executable).with_name("convops")
refused = subprocess.run([command, "deblur", "--demo"], capture_output=True, text=True, timeout=120)
assert refused.returncode == 2, refused
assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
assert "convops-jax[cli]" in refused.stderr, refused.stderr
print("the bare wheel works:", sol)

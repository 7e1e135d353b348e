"""Convolution matrices as matrix-free linear operators in JAX, and the solvers that use them to undo blur."""

from . import psf as psf
from . import testing as testing
from .interop import from_scipy as from_scipy
from .interop import to_lineax as to_lineax
from .interop import to_scipy as to_scipy
from .operators.adapters import from_function as from_function
from .operators.adapters import from_matrix as from_matrix
from .operators.base import LinearOperator as LinearOperator
from .operators.batching import batched as batched
from .operators.blocks import block_diagonal as block_diagonal
from .operators.blocks import hstack as hstack
from .operators.blocks import kronecker as kronecker
from .operators.blocks import vstack as vstack
from .operators.convolution import convolution as convolution
from .operators.convolution import convolution_matrix as convolution_matrix
from .operators.convolution import correlation as correlation
from .operators.diagonalized import Spectral as Spectral
from .operators.diagonalized import spectral as spectral
from .operators.differences import difference as difference
from .operators.differences import gradient as gradient
from .operators.differences import laplacian as laplacian
from .operators.elementary import diagonal as diagonal
from .operators.elementary import identity as identity
from .operators.elementary import mask as mask
from .operators.kernel_operator import kernel_operator as kernel_operator
from .operators.resizing import crop as crop
from .operators.resizing import downsample as downsample
from .operators.resizing import pad as pad
from .operators.separation import KroneckerSVD as KroneckerSVD
from .operators.separation import kronecker_svd as kronecker_svd
from .operators.separation import separated as separated
from .operators.spectral import diagonalized as diagonalized
from .operators.structured import circulant as circulant
from .operators.structured import hankel as hankel
from .operators.structured import toeplitz as toeplitz
from .operators.tuning import tune as tune
from .operators.wavelets import wavelet as wavelet
from .solvers.gradient import gradient_descent as gradient_descent
from .solvers.krylov import cgls as cgls
from .solvers.noise import noise_level as noise_level
from .solvers.selection import Selection as Selection
from .solvers.solution import Solution as Solution
from .solvers.tikhonov import tikhonov as tikhonov

__version__ = "0.1.0"

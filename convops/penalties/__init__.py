"""Penalties: what a solver adds to the misfit, each with its value, its proximal map and its terms."""

from .base import Penalty as Penalty
from .base import Term as Term
from .constraints import Box as Box
from .constraints import NonNegative as NonNegative
from .constraints import Simplex as Simplex
from .huber import Huber as Huber
from .hyper_laplacian import HyperLaplacian as HyperLaplacian
from .quadratic import Quadratic as Quadratic
from .sparsity import L1 as L1
from .sparsity import GroupL1 as GroupL1
from .sparsity import TotalVariation as TotalVariation
from .sums import Sum as Sum

"""Point-spread functions: sampled formulas, differentiable in their parameters, and `prepare` for measured
ones.

Every PSF sums to one and has its centre at index ``n // 2`` of each axis, where `convops.convolution`
expects it.
"""

from .boxes import box as box
from .disks import disk as disk
from .gaussians import gaussian as gaussian
from .lines import motion as motion
from .measured import prepare as prepare

__all__ = ["box", "disk", "gaussian", "motion", "prepare"]

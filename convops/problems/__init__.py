"""Test problems with known answers, noise to add to data, and figures of merit.

A problem is a `Problem`: the operator ``A``, data ``b``, ``truth`` and the standard deviation of the ``noise``.
Everything is drawn from a seed; images are grey, of any size.
"""

from .experiments import classical as classical
from .ir_problems import ir_tools as ir_tools
from .metrics import bsnr as bsnr
from .metrics import isnr as isnr
from .metrics import psnr as psnr
from .metrics import relative_error as relative_error
from .metrics import snr as snr
from .noise import gaussian_noise as gaussian_noise
from .noise import poisson_noise as poisson_noise
from .noise import random_valued_noise as random_valued_noise
from .noise import salt_and_pepper_noise as salt_and_pepper_noise
from .problem import Problem as Problem
from .recording import recorded as recorded
from .rotation import RotationBlur as RotationBlur
from .rotation import rotation_blur as rotation_blur
from .scenes import photograph as photograph
from .scenes import shepp_logan as shepp_logan
from .siemens import siemens_star as siemens_star
from .similarity import ssim as ssim
from .tutorial import pylops_tutorial as pylops_tutorial

__all__ = [
    "Problem",
    "RotationBlur",
    "bsnr",
    "classical",
    "gaussian_noise",
    "ir_tools",
    "isnr",
    "photograph",
    "poisson_noise",
    "psnr",
    "pylops_tutorial",
    "random_valued_noise",
    "recorded",
    "relative_error",
    "rotation_blur",
    "salt_and_pepper_noise",
    "shepp_logan",
    "siemens_star",
    "snr",
    "ssim",
]

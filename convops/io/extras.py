"""Optional packages, imported where they are used."""

from importlib import import_module
from types import ModuleType

_DISTRIBUTIONS = {"PIL": "pillow", "png": "pypng"}


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Parameters
    ----------
    module : str
        Name to import, such as ``"PIL.Image"``.
    extra : str
        The extra of this package that installs it, such as ``"io"``.

    Raises
    ------
    ImportError
        When the module is not installed; the sentence holds the command that installs it.

    Examples
    --------
    >>> require("json", "io").dumps([1, 2])
    '[1, 2]'
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        package = _DISTRIBUTIONS.get(package, package)
        text = f'the package {package} is missing; install it with: pip install "convops-jax[{extra}]"'
        raise ImportError(text, name=package) from error

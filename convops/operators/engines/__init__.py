"""How a convolution is computed: one file an engine, the same few functions in each.

``plan(facts)`` says how it would compute a kernel (something hashable, the structure) or raises `Unsuitable`,
``work(facts, structure)`` counts what that takes, ``prepare`` makes what is worth keeping (a pytree of arrays, or
None), ``forward`` and ``adjoint`` apply the window of the convolution to the trailing axes of an array, and
``describe`` says it in words. A kernel has the window's axes alone, or ``(out, in)`` channels in front of them, and
then signals have the channel axis first. A new engine is a new file here and a line in `ENGINES`.
"""

from . import separable as separable
from .choose import ENGINES as ENGINES
from .choose import able as able
from .choose import choose as choose
from .facts import facts_of as facts_of

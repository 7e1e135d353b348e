"""The command `convops`."""

import sys

from convops.cli.messages import one_line, say
from convops.io.extras import require

_REFUSED, _INTERRUPTED = 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        What follows `convops` in the shell; by default taken from `sys.argv`.

    Returns
    -------
    int
        0 for a job done, 2 for one refused with a sentence on stderr, 130 after Ctrl-C.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    convops ...
    0
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        require("typer", "cli")
        from convops.cli.app import app

        code = app(args=arguments, prog_name="convops", standalone_mode=False) or 0
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except (ImportError, MemoryError, OSError, ValueError) as error:
        say(one_line(error))
        return _REFUSED
    except Exception as error:
        code = _usage_error(error)
    if code == _INTERRUPTED:
        say("stopped; nothing was written")
    return code


def _usage_error(error: Exception) -> int:
    """Print what typer found wrong with the arguments in one line; raise what did not come from typer."""
    if type(error).__name__ == "Abort":
        return _INTERRUPTED
    if not hasattr(error, "format_message"):
        raise error
    text = " ".join(error.format_message().split())  # pyright: ignore[reportAttributeAccessIssue]
    say(f"{text.rstrip('.')}; see `convops deblur --help`")
    return _REFUSED

"""What the command says on stderr."""

import sys


def say(text: str) -> None:
    """Print one line on stderr."""
    print(f"convops: {text}", file=sys.stderr)


def one_line(error: BaseException) -> str:
    r"""Return the text of an error as one line, the file first where the system refused it.

    >>> one_line(ValueError("two\nlines"))
    'two lines'
    >>> one_line(FileNotFoundError(2, "No such file or directory", "photo.png"))
    '`photo.png`: No such file or directory'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"`{error.filename}`: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__

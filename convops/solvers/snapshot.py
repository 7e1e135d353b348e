"""One file of named arrays that is either whole or refused: written aside, synced, renamed; read against its checksum.

It is an ``.npz``, so `numpy.load` opens it, whose zip comment is `MAGIC` and the SHA-256 of the file (taken with zeros
in the digest's place).
"""

import hashlib
import io
import json
import os
import platform
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

WRITER = b"convops checkpoint "
MAGIC = WRITER + b"1\n"
BLANK = b"0" * 64


def write(path: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Put the arrays at `path` in one move: at any moment the file there is the old one or the new one.

    What a killed process leaves is a file ``<path>.<host>-<process>.tmp`` (see `sweep`), never half a file at `path`.
    """
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    aside = path.with_name(f"{path.name}.{_ours(os.getpid())}")
    try:
        with open(aside, "w+b") as file:
            np.savez(file, header=text, **arrays)  # type: ignore[arg-type]
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = MAGIC + BLANK
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(-len(BLANK), os.SEEK_END)
            file.write(digest.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays; a file that is not exactly as it was written is refused."""
    data = path.read_bytes()
    end = data[-len(MAGIC) - len(BLANK) :]
    digest = hashlib.sha256(memoryview(data)[: -len(BLANK)])
    digest.update(BLANK)
    if end != MAGIC + digest.hexdigest().encode():
        if end.startswith(WRITER) and not end.startswith(MAGIC):
            raise ValueError(
                f"`checkpoint` '{path}' was written by another version of convops: resume it with that one"
            )
        raise ValueError(
            f"`checkpoint` '{path}' is damaged, cut off or no checkpoint of convops: move it away, or give another path"
        )
    with np.load(io.BytesIO(data)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


def sweep(path: Path) -> None:
    """Remove what processes of this machine that no longer run have left of writes to `path`."""
    if os.name != "posix":
        return
    start = f"{path.name}.{platform.node()}-"
    for name in os.listdir(path.parent):
        process = name.removeprefix(start).removesuffix(".tmp")
        if process.isdecimal() and name == f"{path.name}.{_ours(int(process))}" and not _runs(int(process)):
            path.with_name(name).unlink(missing_ok=True)


def _ours(process: int) -> str:
    return f"{platform.node()}-{process}.tmp"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make the renaming outlive a loss of power, where folders can be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

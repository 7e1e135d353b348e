"""The command on a terminal: its progress bar, and Ctrl-C."""

import os
import re
import select
import signal
import subprocess
import time
from types import SimpleNamespace

import commanding
import numpy as np
import pytest
from commanding import COMMAND, PSF, photo

from convops.cli import main
from convops.cli.progress import ProgressBar
from convops.io import Picture, write_image

pty = pytest.importorskip("pty")  # not on Windows


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return commanding.working_folder(tmp_path, monkeypatch)


def test_interrupted(folder, capsys, monkeypatch):
    def interrupt(A, b, settings, callback):
        raise KeyboardInterrupt

    monkeypatch.setattr("convops.cli.deblur.solve", interrupt)
    before = set(folder.iterdir())
    assert main(["deblur", "photo.png", *PSF, "-o", "a.png", "--method", "tikhonov"]) == 130
    assert capsys.readouterr().err.endswith("convops: stopped; nothing was written\n")
    assert set(folder.iterdir()) == before


def run_on_a_terminal(arguments, interrupt_at=None):
    """Run the command with stderr on a pseudo-terminal; return its exit code and what it drew."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=slave,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )
    os.close(slave)
    drawn, end = b"", time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([master], [], [], 1)[0]:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other side has closed
                break
            drawn += piece
            if interrupt_at and interrupt_at in drawn:
                process.send_signal(signal.SIGINT)
                interrupt_at = None
            if not piece:
                break
        elif process.poll() is not None:
            break
    os.close(master)
    return process.wait(timeout=60), drawn.decode()


def test_progress_on_a_terminal_only(folder):
    arguments = ["deblur", "photo.png", *PSF, "--method", "cgls", "--steps", "30", "-o", "a.png"]
    code, drawn = run_on_a_terminal(arguments)
    assert code == 0, drawn
    assert re.search(r"\r\x1b\[K\[#*-*\] step \d+/30 residual \d\.\d\de[+-]\d\d \d+:\d\d left", drawn)
    assert "\r\x1b[K" in drawn.rpartition("left")[2]
    done = subprocess.run([*COMMAND, *arguments, "--overwrite"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "\r" not in done.stderr
    assert "step 1" not in done.stderr


def test_ctrl_c_stops_a_long_run(folder):
    write_image("large.png", Picture(photo(shape=(500, 500))))
    arguments = [
        "deblur",
        "large.png",
        "--psf",
        "gaussian:3",
        "--method",
        "gradient_descent",
        "--steps",
        "1000000",
    ]
    code, drawn = run_on_a_terminal([*arguments, "-o", "a.png"], interrupt_at=b"residual")
    assert code == 130, drawn
    assert drawn.rstrip().endswith("convops: stopped; nothing was written")
    assert sorted(path.name for path in folder.iterdir()) == ["large.png", "photo.png"]


def test_bar_fits_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for columns in ("20", "60", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        bar = ProgressBar(3)
        for step in (0, 5, 10):
            bar(SimpleNamespace(step=step, max_steps=10, residual_norm=1.5))
        bar.next_part()
        bar(SimpleNamespace(step=1, max_steps=10, residual_norm=1.5))
        bar.close()
        pieces = capsys.readouterr().err.split("\r\x1b[K")
        assert max(map(len, pieces)) < int(columns)
        assert columns == "20" or "channel 2/3 step 1/10" in pieces[-2]


def test_bar_counts_the_digits_of_the_residual(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    bar, history = ProgressBar(rtol=1e-6), {"residual_norm": np.array([2.0])}
    for residual, filled in ((4.0, 2), (2e-3, 12), (2e-6, 24), (1e-7, 24)):
        bar(SimpleNamespace(step=10, max_steps=100, residual_norm=residual, history=history))
        assert f"[{'#' * filled}{'-' * (24 - filled)}]" in capsys.readouterr().err

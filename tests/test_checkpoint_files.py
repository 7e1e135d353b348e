"""The files of saved runs: one that is not whole, or not the run's own, is refused and left alone."""

import os
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from longrun import DATA, EVEN, PSF, SHAPE, A, run

import convops as co
from convops.solvers import snapshot
from convops.solvers.identity import on_device, on_host


def saved(tmp_path, name="lsqr", **how):
    path = tmp_path / "run.npz"
    run(name, checkpoint=path, max_steps=5, **how)
    return path


def test_a_damaged_file_is_refused(tmp_path):
    path = saved(tmp_path)
    data = path.read_bytes()
    snapshot.read(path)
    ends = {*range(0, len(data), 173), *range(len(data) - 150, len(data))}
    flips = {*range(0, len(data), 61), *range(len(data) - 150, len(data))}
    broken = [data[:end] for end in ends] + [data + b"\0", data + data, bytes(len(data)), b"text"]
    broken += [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in flips]
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"run\.npz' (is damaged, cut off or no|was written by another version)"):
            snapshot.read(path)
    with pytest.raises(ValueError, match="damaged, cut off or no checkpoint of convops: move it away"):
        run("lsqr", checkpoint=path)
    assert path.read_bytes() == content
    np.savez(path, x=np.ones(3))
    with pytest.raises(ValueError, match="damaged"):
        run("lsqr", checkpoint=path)
    path.write_bytes(data.replace(snapshot.MAGIC, b"convops checkpoint 9\n"))
    with pytest.raises(ValueError, match="another version of convops"):
        run("lsqr", checkpoint=path)


def times(weight):
    return lambda x: weight * jnp.sum(x**2)


LAST_BIT = np.array(DATA, jnp.zeros(()).dtype)
LAST_BIT[3, 4] = np.nextafter(LAST_BIT[3, 4], 9)
one, two = times(1.0), times(2.0)
FOREIGN = [
    ("lsqr", {}, lambda c: co.lsqr(A, LAST_BIT, damp=0.01, x0=np.ones(SHAPE), checkpoint=c), "numbers in `b`"),
    ("lsqr", {}, lambda c: run("lsqr", checkpoint=c, x0=None), "numbers in `x0`"),
    ("lsqr", {}, lambda c: run("lsqr", checkpoint=c, damp=0.02), "numbers in `damp`: give the same to resume it"),
    ("lsqr", {}, lambda c: co.lsqr(A * 2, DATA, damp=0.01, x0=np.ones(SHAPE), checkpoint=c), "numbers in `A`"),
    ("lsqr", {}, lambda c: run("cgls", checkpoint=c), "by the method Lsqr, and this is Cgls"),
    ("cgls", {}, lambda c: run("cgls", checkpoint=c, truth=None), "numbers in `truth`"),
    ("cg", {}, lambda c: run("cg", checkpoint=c, shift=0.0), "the operator or its weight"),
    ("descent", {}, lambda c: run("descent", checkpoint=c, project=None), "other settings"),
    ("adam", {}, lambda c: run("adam", checkpoint=c, optimizer=optax.adam(0.2)), "other settings"),
    ("adam", {"penalty": one}, lambda c: run("adam", checkpoint=c, penalty=two), "other settings"),
    ("lsqr", {}, lambda c: run("lsqr", checkpoint=c, max_steps=4), "holds 5 steps, more than `max_steps` = 4"),
]


@pytest.mark.parametrize(("name", "options", "other", "message"), FOREIGN)
def test_the_file_of_another_run_is_refused(name, options, other, message, tmp_path):
    path = saved(tmp_path, name, **options)
    data = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        other(path)
    assert path.read_bytes() == data


def test_another_boundary_is_another_problem(tmp_path):
    path = tmp_path / "run.npz"
    for boundary in ("zero", "wrap"):
        operator = co.convolution(PSF, SHAPE, boundary=boundary, method="stencil")
        if boundary == "zero":
            co.cgls(operator, DATA, max_steps=3, checkpoint=path)
            continue
        with pytest.raises(ValueError, match="other settings"):
            co.cgls(operator, DATA, max_steps=3, checkpoint=path)


def test_leaves_of_every_kind(tmp_path):
    leaves = [
        jnp.asarray([0.1, -3.0], jnp.bfloat16),
        jnp.asarray([[1 + 2j]]),
        jnp.asarray([True, False]),
        jnp.asarray(7, jnp.int8),
        jnp.zeros((0, 3)),
        jnp.asarray(-0.0),
        jnp.asarray([jnp.nan, jnp.inf]),
        jax.random.key(3),
    ]
    snapshot.write(tmp_path / "x", {"n": 1}, {str(n): on_host(leaf) for n, leaf in enumerate(leaves)})
    header, arrays = snapshot.read(tmp_path / "x")
    assert header == {"n": 1}
    for n, leaf in enumerate(leaves):
        back = on_device(arrays[str(n)], leaf)
        assert back.dtype == leaf.dtype
        assert back.shape == leaf.shape
        assert on_host(back).tobytes() == on_host(leaf).tobytes()


def test_what_dead_processes_left_is_cleared(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f"run.npz.{socket.gethostname()}-{process}.tmp" for process in (dead.pid, os.getppid())]
    for name in names:
        (tmp_path / name).write_text("half")
    saved(tmp_path)
    assert set(os.listdir(tmp_path)) == {"run.npz", names[1]}


b = jnp.asarray(DATA)
REFUSED = [
    (lambda c: jax.jit(lambda b: co.cgls(A, b, checkpoint=c).x)(b), "outside of jax.jit"),
    (lambda c: jax.vmap(lambda b: co.lsmr(A, b, callback=print).x)(b[None]), "outside of jax.jit"),
    (lambda c: jax.grad(lambda b: co.cg(EVEN, b, loop="chunked").x.sum())(b), "outside of jax.jit"),
    (lambda c: run("cgls", checkpoint=c, loop="scan"), "`loop` is 'scan'"),
    (lambda c: run("cgls", checkpoint=3), "`checkpoint` is a int; give the path of a file"),
    (lambda c: run("cgls", callback=3), "`callback` must be a function"),
    (lambda c: run("cgls", checkpoint=c / "no" / "folder"), "a file in a folder that exists"),
    (lambda c: run("cgls", checkpoint=c.parent), "a file in a folder that exists"),
    (lambda c: co.Checkpoint(c, steps=0), "`steps` is 0"),
    (lambda c: co.Checkpoint(c, seconds=0.0), "`seconds` is 0.0"),
    (lambda c: co.Checkpoint(7), "`path` is a int"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "run.npz")
    assert not os.listdir(tmp_path)

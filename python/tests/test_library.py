"""The declarations are those of the header, and errors are exceptions."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

import reckon
from reckon import _abi

HEADER = pathlib.Path(__file__).parents[2] / "include"


@pytest.mark.skipif(not shutil.which("cc") or not HEADER.exists(), reason="no C compiler")
def test_structures_have_the_layout_that_a_compiler_gives_them(tmp_path):
    kinds = [
        k for k in vars(_abi).values()
        if isinstance(k, type) and issubclass(k, ctypes.Structure) and hasattr(k, "_fields_")
    ]
    assert len(kinds) > 20
    lines, expected = [], []
    for kind in kinds:
        name = kind.__name__
        tag = f"struct {name}"
        lines.append(f'printf("%zu\\n", sizeof({tag}));')
        expected.append(ctypes.sizeof(kind))
        for field, _ in kind._fields_:
            lines.append(f'printf("%zu\\n", offsetof({tag}, {field}));')
            expected.append(getattr(kind, field).offset)
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <reckon/reckon.h>\n#include <stdio.h>\nint main(void) {\n"
        + "\n".join(lines) + "\n}\n"
    )
    program = tmp_path / "layout"
    subprocess.run(["cc", f"-I{HEADER}", "-o", program, source], check=True)
    printed = subprocess.run([program], capture_output=True, check=True, text=True).stdout
    assert [int(x) for x in printed.split()] == expected


def test_defaults_are_those_of_the_header():
    options = _abi.rk_options_default()
    assert (options.size, options.samples) == (ctypes.sizeof(options), 100000)
    assert _abi.rk_train_event_options_default().keep_loss == 1e-3


@pytest.mark.parametrize(
    "wrong, kind, says",
    [
        (lambda n: reckon.estimate(n, method="nope"), ValueError, "nope"),
        (lambda n: reckon.estimate(n, method="mean", memory=1), MemoryError, "bytes"),
        (lambda n: reckon.load("/nonexistent.npz"), OSError, "nonexistent"),
        (lambda n: reckon.estimate(n, budget="2 h"), ValueError, "1e10flop"),
        (lambda n: reckon.estimate(n, seed=-1), ValueError, "seed"),
        (lambda n: reckon.estimate(n, input=([1, 2], None)), ValueError, "16"),
        (lambda n: reckon.estimate(n, input=(0, -1)), ValueError, "covariance"),
        (lambda n: reckon.tail(n, "y[99] > 1"), ValueError, "99"),
        (lambda n: reckon.estimate(42), ValueError, "int"),
        (lambda n: reckon.estimate([[[1.0]], [[1.0]]]), ValueError, "activation"),
        (lambda n: reckon.linearise(n, method="fourth"), NotImplementedError, "fourth"),
        (lambda n: n([1.0, 2.0]), ValueError, "16"),
    ],
)
def test_errors_are_python_s_own_and_carry_the_message(net, wrong, kind, says):
    with pytest.raises(kind, match=says) as info:
        wrong(net)
    assert isinstance(info.value, reckon.ReckonError)


def test_threads_may_share_a_network(net):
    means = [None] * 4

    def run(i):
        means[i] = reckon.estimate(net, method="third").mean

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all((m == means[0]).all() for m in means)


def test_a_child_made_by_fork_computes(net):
    expected = reckon.estimate(net, method="third").mean[0]
    child = os.fork()
    if child == 0:
        same = reckon.estimate(net, method="third").mean[0] == expected
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_importing_needs_numpy_only():
    code = "import reckon, sys; assert not {'torch', 'tqdm', 'matplotlib', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

"""What the package takes beside the library: seconds of an import, and of a call on a module.

The limits are those that are promised on an idle machine; of several tries the best one counts.
"""

import subprocess
import sys
import time

IMPORT, CALL = 0.2, 5e-3


def of_import():
    code = "import time; t = time.perf_counter(); import reckon; print(time.perf_counter() - t)"
    run = lambda: float(subprocess.check_output([sys.executable, "-c", code]))
    return min(run() for _ in range(7))


def of_call():
    """Seconds of an estimate of a 256 x 4 module beyond those of the same calls of the library."""
    import torch
    from torch import nn

    import reckon

    hidden = [m for _ in range(4) for m in (nn.Linear(256, 256), nn.ReLU())]
    module = nn.Sequential(*hidden, nn.Linear(256, 1))
    layers = reckon.Network(module).layers

    def seconds(model):
        start = time.perf_counter()
        answer = reckon.estimate(model, method="covariance")
        return time.perf_counter() - start, answer.seconds

    tries = [seconds(module) for _ in range(30)]
    whole = min(total - library for total, library in tries)
    start = time.perf_counter()
    reckon.Network(layers)  # nothing but rk_network_create: the weights are float64 already
    copying = time.perf_counter() - start
    for _ in range(20):
        start = time.perf_counter()
        reckon.Network(layers)
        copying = min(copying, time.perf_counter() - start)
    torch.manual_seed(0)
    return whole - copying, copying


if __name__ == "__main__":
    taken = of_import()
    print(f"import: {1e3 * taken:.0f} ms")
    bad = taken > IMPORT
    try:
        call, copying = of_call()
        print(f"estimate of a module: {1e3 * call:.1f} ms beyond the library's, whose copy of the "
              f"weights takes {1e3 * copying:.1f} ms")
        bad |= call > CALL
    except ImportError:
        print("estimate of a module: skipped, no torch")
    sys.exit(bad)

#!/usr/bin/python3
"""tail.py RECKON: rare events of three networks by OpenTURNS' subset simulation and by `reckon tail`.

77: no NumPy or no OpenTURNS (python3-openturns).
"""
import json
import math
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import openturns as ot
except ImportError:
    sys.exit(77)

PASSES = {"importance": 20000, "subset": 100000, "auto": 2000, "sample": 2000000}
ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "gelu": lambda z: z * 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2))),
}
NETWORKS = [  # widths, activation, further options, threshold
    ("32,64,1", "relu", [], 2),
    ("32,48,32,1", "tanh", ["--init", "manual:1.5,0.1"], 2),
    ("24,40,24,1", "gelu", ["--init", "manual:1.8,0.1"], 3.5),
]


def run(*arguments):
    return subprocess.run([sys.argv[1], *arguments], check=True, stdout=subprocess.PIPE).stdout


def oracle(path, activation, threshold):
    """Probability and coefficient of variation; the latter takes levels for independent."""
    with np.load(path, allow_pickle=False) as file:
        names = sorted((name for name in file.files if name.endswith("weight")),
                       key=lambda name: int(name.split(".")[0]))
        layers = [(file[name], file[name.replace("weight", "bias")]
                   if name.replace("weight", "bias") in file.files else 0) for name in names]

    def forward(points):
        h = np.asarray(points)
        for k, (weight, bias) in enumerate(layers):
            h = h @ weight.T + bias
            if k + 1 < len(layers):
                h = ACTIVATIONS[activation](h)
        return h

    n_in = layers[0][0].shape[1]
    ot.RandomGenerator.SetSeed(1)
    output = ot.CompositeRandomVector(ot.PythonFunction(n_in, 1, func_sample=forward),
                                      ot.RandomVector(ot.Normal(n_in)))
    subset = ot.SubsetSampling(ot.ThresholdEvent(output, ot.Greater(), threshold))
    subset.setMaximumOuterSampling(100)
    subset.setBlockSize(200)
    subset.run()
    result = subset.getResult()
    return result.getProbabilityEstimate(), result.getCoefficientOfVariation()


failed = False
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "net.npz")
    for widths, activation, options, threshold in NETWORKS:
        run("random", "--widths", widths, "-a", activation, *options, "-s", "3", "-q", "-o", path)
        p, cv = oracle(path, activation, threshold)
        print(f"{widths} {activation}: {p:.3g} +- {100 * cv:.0f} % (OpenTURNS)")
        if not 1e-6 < p < 1e-3:
            sys.exit("not a rare event")
        for method, passes in PASSES.items():
            answer = json.loads(run("tail", path, "-e", f"y[0] > {threshold}", "-m", method,
                                    "-n", str(passes), "-s", "5", "--json", "-q"))
            event = answer["events"][0]
            apart = abs(math.log(event["p"] / p)) / math.hypot(1.6 * cv, event["cv"])
            print(f"    {method}: {event['p']:.3g} +- {100 * event['cv']:.0f} %, "
                  f"{apart:.1f} standard errors apart")
            failed |= not apart < 3.5
sys.exit(1 if failed else 0)

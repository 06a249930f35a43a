"""What a neural network computes on average, from its weights.

    import reckon
    reckon.estimate("net.safetensors")              # E[M(x)] and its error, x ~ N(0, 1)
    reckon.estimate(module, input=(mean, cov))      # a torch.nn.Module, any Gaussian input
    reckon.tail(module, "y[0] > 3")                 # how likely is that?

A network is h = phi(W u + b) layer by layer, W (out, in) as PyTorch has it. Every answer is a frozen
dataclass of NumPy arrays that carries its error and its warnings. See docs/PYTHON.md.
"""

from ._answers import (Answer, Candidate, Compared, Comparison, Cost, Estimate, Inspection, LayerInfo,
                       Plan, Probability, Step, Tail, TailCost)
from ._differentiable import covariance, log_probability, mean
from ._estimation import compare, estimate, explain, inspect, tail
from ._gradient import Derivatives, Linearisation, event_gradient, linearise
from ._law import Gaussian, Mixture
from ._library import (ArgumentError, FileError, FormatError, Interrupted, NumericError, OutOfMemory,
                       OutOfReach, ReckonError, UnsupportedError, build_info)
from ._library import version as __version__
from ._network import Layer, Network, load, random, save
from ._training import Distilled, Trained, TrainPoint, distill, train_event

__all__ = [name for name in dir() if not name.startswith("_")] + ["__version__"]

"""Derivatives in JAX."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
from jax import numpy as jnp  # noqa: E402
from jax.test_util import check_grads  # noqa: E402

import reckon  # noqa: E402


@pytest.mark.parametrize("jit", [False, True])
def test_gradients(pairs, jit):
    u, mean = jnp.array([1.0, -2.0, 0.5]), jnp.zeros(5)
    variances = jnp.linspace(0.5, 1.5, 5)

    def f(pairs, mean, variances):
        law = (mean, variances)
        first = reckon.mean(pairs, activation="tanh", input=law) @ u
        second = reckon.covariance(pairs, activation="tanh", input=law)[0, 1]
        event = reckon.log_probability(pairs, "y[0] > 1", activation="tanh", input=law)
        return first + second + event

    arguments = jax.tree_util.tree_map(jnp.asarray, (pairs, mean, variances))
    check_grads(jax.jit(f) if jit else f, arguments, order=1, modes=["rev"], rtol=1e-5)


def test_values_are_those_of_numpy(pairs):
    expected = reckon.estimate(pairs, activation="tanh", method="covariance").mean
    theirs = jax.tree_util.tree_map(jnp.asarray, pairs)
    assert np.asarray(reckon.mean(theirs, activation="tanh")) == pytest.approx(expected, abs=1e-14)

"""Derivatives against central differences."""

import numpy as np
import pytest

import reckon


def moved(pairs, layer, which, index, by):
    copy = [[W.copy(), b.copy()] for W, b in pairs]
    copy[layer][which][index] += by
    return copy


@pytest.mark.parametrize("method", ["mean", "covariance", "third"])
def test_vjp_is_the_slope(pairs, method):
    u = np.array([1.0, -2.0, 0.5])

    def run_of(p, mean=0.0):
        return reckon.linearise(p, activation="tanh", method=method, input=(mean, None))

    f = lambda *arguments: run_of(*arguments).answer.mean @ u  # `third` in double throughout
    run = run_of(pairs)
    d = run.vjp(mean=u)
    estimate = reckon.estimate(pairs, activation="tanh", method=method)
    assert run.answer.mean == pytest.approx(estimate.mean, abs=1e-8)
    h = 1e-5
    for layer, which, index in [(0, 0, (1, 2)), (1, 0, (3, 4)), (2, 1, 1)]:
        slope = (f(moved(pairs, layer, which, index, h))
                 - f(moved(pairs, layer, which, index, -h))) / (2 * h)
        found = (d.weights if which == 0 else d.biases)[layer][index]
        assert found == pytest.approx(slope, rel=1e-5, abs=1e-8)
    e = np.eye(5)[2] * h
    assert d.input_mean[2] == pytest.approx((f(pairs, e) - f(pairs, -e)) / (2 * h), rel=1e-5)


def test_event_gradient_is_the_slope(pairs):
    f = lambda p: reckon.event_gradient(p, "y[0] > 2", activation="tanh")[0]
    _, d = reckon.event_gradient(pairs, "y[0] > 2", activation="tanh")
    h = 1e-5
    slope = (f(moved(pairs, 1, 0, (2, 3), h)) - f(moved(pairs, 1, 0, (2, 3), -h))) / (2 * h)
    assert d.weights[1][2, 3] == pytest.approx(slope, rel=1e-5)

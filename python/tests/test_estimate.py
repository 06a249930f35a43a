"""Estimates, probabilities and their answers."""

import json
import os
import signal
import threading
import time

import numpy as np
import pytest

import reckon


def test_two_rays_of_relu():
    layers = [([[1, 2], [-2, 1]], None), ([[1, 1]], None)]
    mean = reckon.estimate(layers, activation="relu", method="third").mean
    assert mean == pytest.approx(2 * np.sqrt(5 / (2 * np.pi)), abs=1e-12)


def test_the_network_that_was_given_is_the_one_that_is_run(pairs):
    net = reckon.Network(pairs, activation="tanh")
    x = np.random.default_rng(1).normal(size=(4, 5))
    h = x
    for i, (W, b) in enumerate(pairs):
        h = h @ W.T + b
        h = np.tanh(h) if i < 2 else h
    assert net(x) == pytest.approx(h, abs=1e-14)
    for layer, (W, b) in zip(net.layers, pairs):
        assert (layer.weight == W).all() and (layer.bias == b).all()
    assert reckon.Network(net.layers).sha256 == net.sha256


def test_trees_of_arrays(pairs):
    expected = reckon.Network(pairs, activation="tanh").sha256
    flax = {"params": {f"Dense_{i}": {"kernel": W.T, "bias": b} for i, (W, b) in enumerate(pairs)}}
    keras = {f"dense_{i}/kernel": W.T for i, (W, _) in enumerate(pairs)}
    keras.update({f"dense_{i}/bias": b for i, (_, b) in enumerate(pairs)})
    state = {f"{2 * i}.{k}": a for i, p in enumerate(pairs) for k, a in zip(("weight", "bias"), p)}
    for tree in (flax, keras, state):
        assert reckon.Network(tree, activation="tanh").sha256 == expected
    with pytest.raises(ValueError, match="running_mean"):
        reckon.Network({**state, "1.running_mean": pairs[0][1]}, activation="tanh")


class OnlyDlpack:
    """An array that speaks nothing but DLPack."""

    def __init__(self, a):
        self.a = a

    def __dlpack__(self, **options):
        return self.a.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.a.__dlpack_device__()


def test_arrays_of_others(pairs):
    theirs = [(OnlyDlpack(W), OnlyDlpack(b)) for W, b in pairs]
    assert reckon.Network(theirs, activation="tanh").sha256 == \
        reckon.Network(pairs, activation="tanh").sha256


def test_saved_and_loaded(net, tmp_path):
    for name in ("net.npz", "net.safetensors"):
        reckon.save(net, tmp_path / name)
        again = reckon.load(tmp_path / name)
        assert again.sha256 == net.sha256
        assert (reckon.estimate(again, method="third").mean
                == reckon.estimate(net, method="third").mean).all()


def test_everything_that_can_be_asked_for_has_its_shape(net):
    e = reckon.estimate(net, method="fourth", covariance=True, layers=True, cumulants=4)
    thirds = reckon.estimate(net, method="third", cumulants=3).third_cumulant
    marginals = reckon.estimate(net, method="third", marginals=True).third_marginal
    n = net.n_out
    assert e.covariance.shape == (n, n) and e.error.shape == (n,)
    assert e.third_cumulant.shape == (n,) * 3 and e.fourth_cumulant.shape == (n,) * 4
    assert marginals == pytest.approx(np.einsum("iii->i", thirds), rel=1e-5)
    assert [m.shape for m in e.hidden_means] == [(16,), (16,)]
    assert e.variance == pytest.approx(np.diag(e.covariance))
    with pytest.raises(Exception):
        e.mean = 0


@pytest.mark.parametrize("covariance", [4.0, [4.0] * 16, np.diag([4.0] * 16)])
def test_inputs_in_short(net, covariance):
    e = reckon.estimate(net, input=(1.0, covariance), method="covariance")
    full = reckon.Gaussian(np.ones(16), 4 * np.eye(16))
    assert (e.mean == reckon.estimate(net, input=full, method="covariance").mean).all()


def test_the_law_of_data():
    x = np.random.default_rng(0).normal(size=(50, 3)) @ np.diag([1, 2, 3])
    law = reckon.Gaussian.from_data(x, shrinkage=0.1)
    assert law.mean == pytest.approx(x.mean(0))
    assert np.trace(law.covariance) == pytest.approx(np.trace(np.cov(x.T)))


def test_stated_errors_hold(net):
    truth = reckon.estimate(net, method="sample", samples=2_000_000, seed=3)
    e = reckon.estimate(net, method="third")
    rms = np.sqrt(np.mean((e.mean - truth.mean) ** 2))
    assert rms < 3 * e.error_rms + 3 * truth.error_rms


def test_explain_is_what_is_executed(net):
    options = dict(method="third", covariance=True)
    assert reckon.explain(net, **options).flops == \
        reckon.estimate(net, **options).cost.flops_executed
    assert any(c.verdict == "chosen" for c in reckon.explain(net).candidates)
    cost = reckon.explain(net, "y[0] > 1", method="normal")
    assert cost.is_exact and cost.flops == reckon.tail(net, "y[0] > 1", method="normal").flops_executed


def test_compare_has_true_errors(net):
    c = reckon.compare(net, ["mean", "third", "reference:9"], truth_samples=100_000)
    assert [m.method for m in c.methods] == ["mean", "third"] and "reference:9" in c.skipped
    assert c.methods[1].true_rms < c.methods[0].true_rms


def test_tails_agree_with_brute_force(net):
    t = reckon.tail(net, ["y[0] > 1.5", "y[1] - y[2] > 1"], samples=100_000)
    x = np.random.default_rng(0).normal(size=(20_000, 16))
    y = net(x)
    for e, happened in zip(t.events, (y[:, 0] > 1.5, y[:, 1] - y[:, 2] > 1)):
        p = happened.mean()
        assert abs(e.p - p) < 5 * np.sqrt(p / len(x)) + 5 * e.cv * e.p
        assert 10**e.log10_low <= e.p <= 10**e.log10_high


def test_answers_are_dictionaries_tables_and_figures(net):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    answers = [reckon.estimate(net), reckon.tail(net, "y[0] > 1:3:1"), reckon.compare(net, ["mean"])]
    for a in answers:
        json.dumps(a.to_dict(), allow_nan=False)
        assert a._repr_html_().startswith("<table>")
        assert "y[0]" in str(a) or "mean" in str(a)
        assert a.plot().has_data()
    for a in (reckon.inspect(net), reckon.explain(net)):
        assert "<td>" in a._repr_html_() and str(a)


def test_progress_is_told_and_can_stop(net):
    seen = []
    reckon.estimate(net, method="sample", samples=500_000, progress=seen.append)
    assert seen and seen == sorted(seen) and seen[-1] <= 1
    e = reckon.estimate(net, method="sample", samples=10**10, progress=lambda f: False)
    assert e.interrupted and e.samples < 10**10

    def fails(fraction):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        reckon.estimate(net, method="sample", samples=10**10, progress=fails)


def test_ctrl_c_gives_the_partial_answer(net):
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    e = reckon.estimate(net, method="sample", samples=10**10)
    assert e.interrupted and 0 < e.samples < 10**10 and np.isfinite(e.mean).all()
    assert time.monotonic() - start < 60
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_students_and_rarer_events(net):
    d = reckon.distill(net, [8, 8], budget="1e8flop")
    assert d.network.layers[0].weight.shape == (8, 16)
    assert d.loss < d.teacher_square and d.curve
    go_on = reckon.distill(net, student=d.network, budget="1e8flop")
    assert go_on.loss < d.loss + 5 * d.loss_standard_error
    t = reckon.train_event(net, "y[0] > 3", samples=20_000, max_steps=20)
    assert t.after.p < t.before.p and t.loss < 2e-3
    x = np.random.default_rng(0).normal(size=(200, 16))
    t = reckon.train_event(net, "y[0] > 3", samples=20_000, max_steps=5, keep_loss=0.01,
                           data=(x, net(x).argmax(1)))
    assert 0 < t.data_loss_after < t.data_loss_before + 0.011
    assert d.to_dict()["network"]["sha256"] == d.network.sha256


def test_mixtures_are_the_sum_of_their_components(net):
    parts = [reckon.Gaussian(1.0, 0.5), (np.full(16, -2.0), 2.0), None]
    weights = [0.5, 0.3, 0.2]
    whole = reckon.estimate(net, input=reckon.Mixture(weights, parts), method="covariance")
    means = [reckon.estimate(net, input=part, method="covariance").mean for part in parts]
    np.testing.assert_allclose(whole.mean, np.dot(weights, means), rtol=1e-12)
    p = reckon.tail(net, "y[0] > 3", input=reckon.Mixture(weights, parts), method="normal").p
    ps = [reckon.tail(net, "y[0] > 3", input=q, method="normal").p for q in parts]
    np.testing.assert_allclose(p, np.dot(weights, ps), rtol=1e-12)
    with pytest.raises(reckon.ArgumentError, match="weights"):
        reckon.estimate(net, input=reckon.Mixture([1.0], parts))

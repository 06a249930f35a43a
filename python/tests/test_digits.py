"""A classifier of digits, trained here: what its module does under the law of its data."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
datasets = pytest.importorskip("sklearn.datasets")
from torch import nn  # noqa: E402

import reckon  # noqa: E402


@pytest.fixture(scope="module")
def trained():
    """64-256-256-10 with batch norm and GELU, and its inputs."""
    torch.manual_seed(0)
    x, labels = datasets.load_digits(return_X_y=True)
    x, labels = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(labels)
    model = nn.Sequential(
        nn.Linear(64, 256), nn.BatchNorm1d(256), nn.GELU(),
        nn.Linear(256, 256), nn.BatchNorm1d(256), nn.GELU(), nn.Linear(256, 10),
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(12):
        for batch in torch.randperm(len(x)).split(128):
            loss = nn.functional.cross_entropy(model(x[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()
    assert (model(x).argmax(1) == labels).float().mean() > 0.97
    return model, x


def test_the_error_is_within_three_times_what_is_stated(trained):
    model, x = trained
    law = reckon.Gaussian.from_data(x)
    e = reckon.estimate(model, input=law, covariance=True)
    assert e.error_rms > 0
    # a receipt, by samples of its own: the mean as torch has it
    rng = np.random.default_rng(0)
    samples = rng.multivariate_normal(law.mean, law.covariance, 200_000, method="eigh")
    with torch.no_grad():
        y = model.double()(torch.from_numpy(samples)).numpy()
    model.float()
    noise = y.var(axis=0) / len(y)
    square = np.mean((e.mean - y.mean(axis=0)) ** 2 - noise)
    spread = np.sqrt(2 * np.mean(noise**2) / 10 + 4 * np.mean(noise) * e.error_rms**2 / 10)
    assert square < (3 * e.error_rms) ** 2 + 4 * spread
    assert np.allclose(e.covariance, np.cov(y.T), atol=0.1 * y.var(axis=0).max())


def test_the_tail_of_a_difference_of_logits_is_that_of_brute_force(trained):
    model, x = trained
    law = reckon.Gaussian.from_data(x)
    rng = np.random.default_rng(1)
    samples = rng.multivariate_normal(law.mean, law.covariance, 200_000, method="eigh")
    with torch.no_grad():
        y = model(torch.from_numpy(samples).float()).numpy()
    difference = y[:, 3] - y[:, 8]
    threshold = round(float(np.quantile(difference, 0.998)), 2)
    p = np.mean(difference > threshold)
    t = reckon.tail(model, f"y[3] - y[8] > {threshold}", input=law, samples=20_000).events[0]
    spread = np.sqrt(p / len(samples))
    assert 10**t.log10_low - 4 * spread < p < 10**t.log10_high + 4 * spread

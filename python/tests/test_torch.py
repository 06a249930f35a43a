"""Modules are read as they compute, refused by name, and learn through an estimate."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import reckon  # noqa: E402


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.a, self.b = nn.Linear(n, n), nn.Linear(n, n)

    def forward(self, x):
        return x + self.b(torch.relu(self.a(x)))


class Written(nn.Module):
    """By hand, with functions: norms before and between, sums of several kinds, one layer twice."""

    def __init__(self):
        super().__init__()
        self.norm, self.late = nn.BatchNorm1d(5), nn.BatchNorm1d(5)
        self.one, self.two = nn.Linear(5, 5), nn.Linear(5, 5, bias=False)
        self.W = nn.Parameter(torch.randn(3, 5))

    def forward(self, x):
        x = x.view(x.size(0), -1)
        h = torch.tanh(self.norm(x))
        h = self.one(self.late(h)) + h
        h = F.leaky_relu(self.two(h), 0.3) + self.two(x)
        h += x
        return F.linear(F.dropout(h, training=self.training), self.W)


MODULES = {
    "plain": lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)),
    "norm": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(5, 7), nn.BatchNorm1d(7), nn.GELU(), nn.Dropout(), nn.Linear(7, 3)
    ),
    "norm first": lambda: nn.Sequential(
        nn.BatchNorm1d(5), nn.Linear(5, 7), nn.Softplus(), nn.BatchNorm1d(7, affine=False),
        nn.Sequential(nn.Identity(), nn.Linear(7, 3), nn.Sigmoid()),
    ),
    "norms on norms": lambda: nn.Sequential(
        nn.Linear(5, 5), nn.BatchNorm1d(5), nn.BatchNorm1d(5), nn.SiLU(), nn.BatchNorm1d(5)
    ),
    "residual": lambda: nn.Sequential(
        nn.Linear(5, 4), Block(4), nn.LeakyReLU(0.2), Block(4), nn.Linear(4, 2)
    ),
    "written": Written,
    "weight norm": lambda: nn.Sequential(
        nn.utils.weight_norm(nn.Linear(5, 7)), nn.Tanh(), nn.Linear(7, 3)
    ),
    "spectral norm": lambda: nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(5, 7)), nn.Tanh(), nn.Linear(7, 3)
    ),
    "half": lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(inplace=True), nn.Linear(7, 3)).to(
        torch.bfloat16
    ),
}


def made(name):
    torch.manual_seed(0)
    module = MODULES[name]()
    kind = next(module.parameters()).dtype
    if kind is not torch.bfloat16:
        for _ in range(10):  # running statistics of their own
            module(2 * torch.randn(64, 5) + 1)
    return module.eval()


@pytest.mark.parametrize("name", MODULES)
def test_the_network_computes_what_the_module_does(name):
    module = made(name)
    net = reckon.Network(module if name == "half" else module.double())
    x = torch.randn(6, 5, dtype=torch.double)
    expected = module.double()(x.clone()).detach().numpy()
    assert net(x) == pytest.approx(expected, abs=1e-13)


def test_a_module_and_its_file_give_the_same_bits(tmp_path):
    module = made("plain")
    np.savez(tmp_path / "net.npz", **{k: v.numpy() for k, v in module.state_dict().items()})
    of_file = reckon.load(tmp_path / "net.npz", activation="relu")
    assert of_file.sha256 == reckon.Network(module).sha256
    assert (reckon.estimate(module, method="third").mean
            == reckon.estimate(of_file, method="third").mean).all()


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        h = self.fc(x)
        return F.relu(h, inplace=True) + h


@pytest.mark.parametrize(
    "module, says",
    [
        (nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), r"1 \(LayerNorm\)"),
        (nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.PReLU())), r"1\.0 \(PReLU\)"),
        (nn.Sequential(nn.Conv1d(3, 3, 1)), r"0 \(Conv1d\)"),
        (nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False)).eval(), "running"),
        (Branches(), "torch.fx"),
        (InPlace(), "in place"),
    ],
)
def test_a_refusal_names_the_submodule(module, says):
    with pytest.raises(NotImplementedError, match=says):
        reckon.Network(module)


def test_training_mode_is_pointed_out():
    with pytest.warns(UserWarning, match="eval mode"):
        reckon.Network(made("norm").train())


def test_backward_fills_grad():
    module = made("norm")
    reckon.mean(module)[1].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())
    assert module[1].weight.grad.dtype == torch.float32 and module[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["norm", "residual"])
def test_gradcheck(name):
    module = made(name).double()
    parameters = list(module.parameters())
    assert torch.autograd.gradcheck(lambda *_: reckon.mean(module), parameters)
    assert torch.autograd.gradcheck(lambda *_: reckon.covariance(module), parameters)


def test_gradcheck_of_an_event_and_of_the_input():
    module = made("norm").double()
    parameters = list(module.parameters())
    event = lambda *_: reckon.log_probability(module, "y[0] - y[1] > 1")
    assert torch.autograd.gradcheck(event, parameters)
    mean = torch.randn(5, dtype=torch.double, requires_grad=True)
    for covariance in (torch.tensor(1.3), torch.rand(5) + 0.5, torch.cov(torch.randn(5, 9))):
        covariance = covariance.double().requires_grad_()
        # a full matrix is symmetric, and so are its derivatives
        f = lambda m, c: reckon.covariance(module, input=(m, (c + c.T) / 2 if c.ndim == 2 else c))
        assert torch.autograd.gradcheck(f, (mean, covariance))


def test_training_through_an_estimate():
    module = made("plain")
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(30):
        loss = (reckon.mean(module) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    y = module(torch.randn(100_000, 5)).mean(0)
    assert loss.item() < 1e-2 and (y**2).sum().item() < 3e-2

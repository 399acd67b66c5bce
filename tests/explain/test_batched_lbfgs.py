"""The iterates of torch's own L-BFGS, row by row."""

import pytest
import torch

from bench.explain.batched_lbfgs import HISTORY, BatchedLBFGS


def bowl(point: torch.Tensor) -> torch.Tensor:
    """A smooth convex function of each row, ill-conditioned, not quadratic."""
    scales = torch.logspace(-1, 0, point.shape[1], dtype=point.dtype)
    return (scales * (point - 0.3).square()).sum(dim=1) / 2 + (point**4).sum(dim=1) / 20


def torch_path(start: torch.Tensor, steps: int) -> list[torch.Tensor]:
    point = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([point], lr=1, max_iter=1, history_size=HISTORY, tolerance_grad=0, tolerance_change=0)
    path = []
    for _ in range(steps):

        def closure():
            optimizer.zero_grad()
            loss = bowl(point).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        path.append(point.detach().clone())
    return path


def our_path(start: torch.Tensor, steps: int) -> list[torch.Tensor]:
    point, lbfgs, path = start.clone(), BatchedLBFGS(), []
    for _ in range(steps):
        leaf = point.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(bowl(leaf).sum(), leaf)
        point = point + lbfgs.step(point, gradient)
        path.append(point)
    return path


@pytest.mark.parametrize("seed", range(3))
def test_one_row_follows_torch(seed):
    start = torch.randn(1, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for ours, theirs in zip(our_path(start, 15), torch_path(start, 15), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-8)


def test_rows_do_not_know_of_each_other():
    start = torch.randn(3, 6, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    together = our_path(start, 12)[-1]
    for row in range(3):
        assert torch.allclose(together[row : row + 1], our_path(start[row : row + 1], 12)[-1], atol=1e-12)


def test_a_row_that_has_arrived_stays_and_stays_finite():
    lbfgs, point = BatchedLBFGS(), torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    for _ in range(30):
        point = point + lbfgs.step(point, point)  # gradient of |x|^2 / 2: the first row is at its minimum
    assert torch.equal(point[0], torch.zeros(2))
    assert torch.allclose(point[1], torch.zeros(2), atol=1e-6)

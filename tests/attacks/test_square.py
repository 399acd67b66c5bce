"""Square attack: the authors' code bit for bit, one image at a time, and what the classifier counts."""

import pytest
import torch
from conftest import Counting, Linear

from bench.attacks import AttackSpec, run_attack
from bench.attacks.square import SquareSettings, square_side


@pytest.mark.parametrize("rescale", [True, False])
def test_authors_code_bit_for_bit(small_net, small_data, rescale):
    reference = pytest.importorskip("pyautoattack.square").SquareAttack
    images, labels = small_data
    spec = AttackSpec("square", {"queries": 150, "rescale": rescale})
    ours = run_attack(small_net, images, labels, spec, 0.03, seeds=range(24))
    assert 0 < ours.success[2:].mean() < 1
    assert len(set(ours.queries[2:].tolist())) > 3
    for row in range(2, 24):
        attack = reference(small_net, n_queries=150, eps=0.03, seed=row, resc_schedule=rescale, device="cpu")
        image, label = images[row : row + 1], labels[row : row + 1]
        attack.init_hyperparam(image)
        torch.manual_seed(row)
        queries, best = attack.attack_single_run(image, label)
        torch.testing.assert_close(ours.adversarials[row], best[0], rtol=0, atol=2e-6)
        assert ours.queries[row] == int(queries)


def test_schedule_is_the_authors():
    reference = pytest.importorskip("pyautoattack.square").SquareAttack
    for queries, rescale in ((5000, True), (5000, False), (100, True), (10000, False)):
        attack = reference(None, n_queries=queries, resc_schedule=rescale)
        settings = SquareSettings(queries=queries, rescale=rescale)
        for proposal in range(0, queries, 7):
            side = max(round((attack.p_selection(proposal) * 32 * 32) ** 0.5), 1)
            assert square_side(settings, proposal, 32, 32) == min(side, 32)


def test_queries_are_what_the_classifier_saw(small_net, small_data):
    counting = Counting(small_net).eval()
    result = run_attack(counting, *small_data, AttackSpec("square", {"queries": 60}), 0.02, seeds=range(24))
    assert counting.images == 24 + result.queries.sum()
    assert 0 < result.success.sum() < 24
    assert (result.queries[~result.success] == 61).all()


def test_linear_classifier_is_bounded_by_the_best_corner():
    torch.manual_seed(0)
    weight, images = torch.randn(3 * 64), torch.rand(40, 3, 8, 8)
    model = Linear(weight, -(weight.sum() / 2)).eval()
    labels = model(images).argmax(1)
    epsilon = 0.02
    push = torch.sign(weight) * torch.where(labels == 1, -1.0, 1.0)[:, None]
    corner = (images.flatten(1) + epsilon * push).clamp(0, 1).reshape(images.shape)
    breakable = (model(corner).argmax(1) != labels).numpy()
    result = run_attack(model, images, labels, AttackSpec("square", {"queries": 400}), epsilon, seeds=range(40))
    assert not (result.success & ~breakable).any()
    assert result.success.sum() >= 0.5 * breakable.sum() > 0


def test_targeted(small_net, small_data):
    images, labels = small_data
    targets = (labels + 1) % 10
    result = run_attack(
        small_net, images, labels, AttackSpec("square", {"queries": 200}), 0.3, seeds=range(24), targets=targets
    )
    hit = result.success & (result.stage == "square")
    assert hit.any()
    assert (result.prediction[hit] == targets.numpy()[hit]).all()

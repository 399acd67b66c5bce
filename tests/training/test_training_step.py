"""The pieces of a training step against tensors worked by hand, foolbox, and brute force."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from eagerpy.astensor import astensor
from foolbox import PyTorchModel
from foolbox.attacks import LinfProjectedGradientDescentAttack
from foolbox.criteria import Misclassification
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.training.holdout import HoldoutAccuracy, collapse, split_holdout
from bench.training.step import augment, learning_rate, perturb

EPSILON = 8 / 255


def images(n=6, side=8, seed=0):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def start(clean, seed, epsilon=EPSILON):
    """The uniform start that ``perturb`` draws from a generator of this seed."""
    draw = torch.rand(clean.shape, generator=torch.Generator().manual_seed(seed))
    return (clean + (2 * draw - 1) * epsilon).clamp(0, 1)


def test_fast_fgsm_on_a_linear_classifier_as_worked_by_hand(channel_means):
    # logits = 20 x channel means, so the loss falls with the label's channel and rises with the other two:
    # fast FGSM moves them by 1.25 epsilon down and up from the random start, back into the ball and into [0,1].
    clean, labels = images(), torch.tensor([0, 1, 2, 0, 1, 2])
    found = perturb(
        channel_means,
        clean,
        labels,
        epsilon=EPSILON,
        steps=1,
        step_size=1.25,
        generator=torch.Generator().manual_seed(3),
    )
    direction = torch.ones(6, 3, 1, 1)
    direction[torch.arange(6), labels] = -1
    offset = (start(clean, 3) + 1.25 * EPSILON * direction - clean).clamp(-EPSILON, EPSILON)
    torch.testing.assert_close(found, (clean + offset).clamp(0, 1), rtol=0, atol=1e-6)
    assert (found - clean).abs().max() <= EPSILON + 1e-7
    # most starts lie within 1.25 epsilon of the far side of the ball: one step reaches it for 5 pixels of 8
    at_border = ((found - clean).abs() > EPSILON - 1e-6) | (found == 0) | (found == 1)
    assert 0.55 < at_border.float().mean() < 0.7


def test_several_steps_are_the_pgd_of_foolbox():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 5)
    ).eval()
    clean, labels = images(), torch.tensor([0, 1, 2, 3, 4, 0])

    class FromOurStart(LinfProjectedGradientDescentAttack):
        def get_random_start(self, x0, epsilon):
            return astensor(start(x0.raw, 5, epsilon))

    attack = FromOurStart(steps=7, rel_stepsize=0.25)
    model = PyTorchModel(network, bounds=(0, 1), device="cpu")
    expected = attack.run(model, clean, Misclassification(labels), epsilon=EPSILON)
    network.zero_grad()  # foolbox leaves gradients on the weights
    generator = torch.Generator().manual_seed(5)
    found = perturb(network, clean, labels, epsilon=EPSILON, steps=7, step_size=0.25, generator=generator)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert F.cross_entropy(network(found), labels) > F.cross_entropy(network(clean), labels)


def test_no_steps_leave_the_images_alone(channel_means):
    clean = images()
    generator = torch.Generator()
    assert (
        perturb(channel_means, clean, torch.zeros(6).long(), epsilon=1, steps=0, step_size=1, generator=generator)
        is clean
    )


@settings(deadline=None, max_examples=25)
@given(shift=st.integers(0, 2), flip=st.booleans(), seed=st.integers(0, 99))
def test_augmented_images_are_crops_of_the_padded_one_mirrored_or_not(shift, flip, seed):
    shown = (255 * images(n=4, side=5, seed=seed)).to(torch.uint8)
    made = augment(shown, shift=shift, flip=flip, generator=torch.Generator().manual_seed(seed))
    assert made.dtype == torch.uint8
    assert made.shape == shown.shape
    for image, result in zip(shown, made, strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (shift, shift), (shift, shift)))
        crops = [padded[:, y : y + 5, x : x + 5] for y in range(2 * shift + 1) for x in range(2 * shift + 1)]
        allowed = crops + [crop[:, :, ::-1] for crop in crops] if flip else crops
        assert any(np.array_equal(result.numpy(), crop) for crop in allowed)


def test_every_offset_and_both_mirrors_occur():
    shown = torch.arange(3 * 25, dtype=torch.uint8).reshape(1, 3, 5, 5).expand(400, -1, -1, -1) + 1
    made = augment(shown, shift=1, flip=True, generator=torch.Generator().manual_seed(0))
    assert len({result.numpy().tobytes() for result in made}) == 9 * 2


def test_the_learning_rate_rises_for_two_fifths_and_falls():
    for progress, expected in [(0, 0), (0.2, 0.1), (0.4, 0.2), (0.7, 0.1), (1, 0)]:
        assert learning_rate(progress, 0.2) == pytest.approx(expected)


def test_the_images_held_out_are_balanced_and_never_trained_on():
    labels = np.arange(60) % 3
    split = split_holdout(labels, 12, seed=0)
    assert np.bincount(labels[split.holdout]).tolist() == [4, 4, 4]
    assert sorted([*split.train, *split.holdout]) == list(range(60))
    assert not np.array_equal(split.holdout, split_holdout(labels, 12, seed=1).holdout)


@pytest.mark.parametrize(
    ("pgd", "own_attack", "collapsed"),
    [
        ([0.20, 0.30, 0.00], 0.70, True),  # as in Wong et al. 2020, figure 3: FGSM accuracy soars, PGD's vanishes
        ([0.20, 0.30, 0.14], 0.35, True),
        ([0.20, 0.30, 0.16], 0.35, False),  # not yet half of the best
        ([0.20, 0.30, 0.10], 0.15, False),  # the network is worse under every attack: nothing is masked
        ([0.00, 0.00, 0.00], 0.00, False),  # not robust yet
        ([0.00], 0.30, False),
    ],
)
def test_collapse_is_told_from_a_bad_epoch(pgd, own_attack, collapsed):
    history = [HoldoutAccuracy(clean=0.6, own_attack=own_attack, pgd=value) for value in pgd]
    message = collapse(history)
    assert bool(message) == collapsed
    if collapsed:
        assert f"fell from 30.0% to {pgd[-1]:.1%}" in message


def test_plain_training_never_collapses():
    assert collapse([HoldoutAccuracy(0.9, None, None), HoldoutAccuracy(0.0, None, None)]) == ""

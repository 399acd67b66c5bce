"""Each defense against a reference that is not ours; the gradients attacks are given, against those worked by hand."""

import io
from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from bench.conf_files import CONF
from bench.data.crop import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError
from bench.models import DEFENSES, Classifier, DefendedClassifier, restrict
from bench.models.defended import image_digests
from bench.models.defenses import JPEG, BitDepth, GaussianSmoothing, MedianSmoothing, NoiseVote, ResizeAndPad
from bench.models.fast import prepare_fast
from bench.seeding import derive_seed
from bench.tasks.support.config import build_defense

ALL = [
    JPEG(quality=40),
    BitDepth(bits=2),
    GaussianSmoothing(sigma=0.8),
    MedianSmoothing(size=3),
    ResizeAndPad(smallest=0.8, canvas=1.25, draws=3),
    NoiseVote(sigma=0.1, votes=5),
]
BY_NAME = pytest.mark.parametrize("defense", ALL, ids=lambda defense: defense.name)


def rand(*shape, seed=0):
    """Pixels as decoded images have them: multiples of 1/255."""
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed)).float() / 255


class Recording(nn.Module):
    """Logits are 20 times the channel means; keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, images):
        self.shown.append(images.detach().clone())
        return 20 * images.mean(dim=(2, 3))


class Squared(nn.Module):
    """Logits ``(s, -s)`` with ``s = (w.x)^2``: the gradient of ``s`` at ``z`` is ``2 (w.z) w``."""

    def __init__(self, n):
        super().__init__()
        self.weight = torch.randn(n, generator=torch.Generator().manual_seed(1))

    def forward(self, images):
        score = (images.flatten(1) @ self.weight) ** 2
        return torch.stack([score, -score], dim=1)


def gradient_of_first_logit(classifier, images):
    images = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(classifier(images)[:, 0].sum(), images)
    return gradient


# What is done to the image


@pytest.mark.parametrize("quality", [10, 75, 100])
def test_jpeg_is_pils_round_trip(quality):
    images = rand(3, 3, 24, 20)
    shown = JPEG(quality=quality).transform(images, [])
    for image, got in zip(images, shown, strict=True):
        buffer = io.BytesIO()
        Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
        expected = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1).float() / 255
        assert torch.equal(got, expected)


def test_bit_depth_by_hand():
    pixels = torch.tensor([0.0, 0.16, 0.17, 0.49, 0.51, 0.83, 0.84, 1.0])
    two_bits = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]) / 3  # levels 0, 1/3, 2/3, 1: borders at 1/6, 1/2, 5/6
    assert torch.equal(BitDepth(bits=2).transform(pixels, []), two_bits)
    assert BitDepth(bits=1).transform(pixels, []).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    images = rand(1, 3, 8, 8)
    torch.testing.assert_close(BitDepth(bits=8).transform(images, []), images)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 1.7])
def test_gaussian_smoothing_is_scipys(sigma):
    images = rand(2, 3, 20, 17)
    expected = scipy.ndimage.gaussian_filter(images.double().numpy(), (0, 0, sigma, sigma), mode="mirror", truncate=4)
    smoothed = GaussianSmoothing(sigma=sigma).transform(images, [])
    torch.testing.assert_close(smoothed.double(), torch.from_numpy(expected), rtol=0, atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(size=st.integers(2, 6), height=st.integers(6, 12), width=st.integers(6, 12), seed=st.integers(0, 99))
def test_median_smoothing_is_scipys(size, height, width, seed):
    images = rand(2, 3, height, width, seed=seed)
    expected = scipy.ndimage.median_filter(images.numpy(), size=(1, 1, size, size), mode="reflect")
    assert np.array_equal(MedianSmoothing(size=size).transform(images, []).numpy(), expected)


def test_resize_and_pad_puts_the_whole_image_somewhere_on_a_grey_canvas():
    image = 0.6 + 0.4 * rand(1, 3, 20, 30)  # no pixel is as grey as the padding
    defense = ResizeAndPad(smallest=0.75, canvas=1.25)
    sizes, corners = set(), set()
    for seed in range(400):
        (shown,) = defense.transform(image, [seed])
        assert shown.shape == (3, 25, 38)
        inside = (shown != 0.5).all(dim=0)
        rows, columns = inside.any(dim=1).nonzero().flatten(), inside.any(dim=0).nonzero().flatten()
        top, left, tall, wide = int(rows[0]), int(columns[0]), len(rows), len(columns)
        assert inside[top : top + tall, left : left + wide].all()
        assert inside.sum() == tall * wide
        patch = shown[:, top : top + tall, left : left + wide]
        # TensorFlow's nearest neighbour, which the paper's code uses, rounds down from corners.
        source_rows = torch.arange(tall) * 20 // tall
        source_columns = torch.arange(wide) * 30 // wide
        assert torch.equal(patch, image[0][:, source_rows][:, :, source_columns])
        sizes.add(tall)
        corners.add((tall, top))
    assert sizes == set(range(15, 25))  # the canvas itself is never drawn, as 331 in the paper
    assert corners == {(tall, top) for tall in sizes for top in range(25 - tall + 1)}


def test_resize_and_pad_is_the_papers_at_the_papers_size():
    assert ResizeAndPad().transform(torch.zeros(1, 3, 299, 299), [0]).shape[2:] == (331, 331)


# Votes


def brute_force_votes(defense, images, n_classes=3):
    counts = np.zeros((len(images), n_classes), dtype=int)
    for row, image in enumerate(images):
        for vote in range(defense.votes):
            seed = derive_seed(defense.seed, image_digests(image[None])[0], vote)
            noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
            counts[row, int((image + defense.sigma * noise).mean(dim=(1, 2)).argmax())] += 1
    return counts


def test_noise_vote_counts_as_by_brute_force_and_its_softmax_is_the_smoothed_share():
    defense = NoiseVote(sigma=0.8, votes=9)
    images = rand(6, 3, 8, 8)
    counts = brute_force_votes(defense, images)
    assert (counts.max(axis=1) < 9).any(), "a contested vote is wanted here"
    logits = DefendedClassifier(Recording(), defense)(images)
    np.testing.assert_allclose(logits.softmax(1).numpy(), (counts + 1 / 3) / 10, rtol=1e-5)
    assert np.array_equal(logits.argmax(1).numpy(), counts.argmax(axis=1))


def test_noise_is_gaussian_of_the_size_asked_for_and_fresh_for_each_image_and_vote():
    network = Recording()
    images = rand(2, 3, 64, 64)
    DefendedClassifier(network, NoiseVote(sigma=0.3, votes=3))(images)
    noise = torch.stack(network.shown) - images
    assert float(noise.mean()) == pytest.approx(0, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.3, rel=0.02)
    flat = noise.flatten(2).flatten(0, 1)
    assert (torch.corrcoef(flat) - torch.eye(6)).abs().max() < 0.05


def test_a_subset_of_classes_votes_among_itself():
    images = rand(4, 3, 8, 8)
    images[:, 0] += 1  # class 0 would win every vote
    defense = NoiseVote(sigma=0.5, votes=7)
    counts = np.zeros((4, 2), dtype=int)
    for row, image in enumerate(images):
        for vote in range(7):
            generator = torch.Generator().manual_seed(derive_seed(0, image_digests(image[None])[0], vote))
            shown = image + 0.5 * torch.randn(image.shape, generator=generator)
            counts[row, int(shown.mean(dim=(1, 2))[[2, 1]].argmax())] += 1
    logits = restrict(DefendedClassifier(Recording(), defense), (2, 1))(images)
    np.testing.assert_allclose(logits.softmax(1).numpy(), (counts + 1 / 2) / 8, rtol=1e-5)


# What every defense promises


@BY_NAME
def test_an_image_is_decided_the_same_in_any_batch_and_again(defense):
    network = Recording()
    images = rand(5, 3, 16, 16)
    defended = DefendedClassifier(network, defense)
    whole = defended(images)
    shown = torch.stack(network.shown)
    for order in ([4, 2, 0, 1, 3], [3], [1, 1]):
        network.shown.clear()
        torch.testing.assert_close(defended(images[order]), whole[order], rtol=0, atol=1e-5)
        assert torch.equal(torch.stack(network.shown), shown[:, order])


@BY_NAME
def test_both_gradients_belong_to_the_same_decision(defense):
    images = rand(5, 3, 16, 16)
    naive = DefendedClassifier(Recording(), defense)
    adaptive = DefendedClassifier(Recording(), replace(defense, gradient="adaptive"))
    with torch.no_grad():
        decision = naive(images)
        assert torch.equal(adaptive(images), decision)
    for classifier in (naive, adaptive):
        assert torch.equal(classifier(images.clone().requires_grad_()).detach(), decision)


@BY_NAME
def test_the_wrapper_keeps_what_identifies_the_classifier_and_survives_folding(defense):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.normal_(network[1].running_mean, 0, 0.1)
    nn.init.uniform_(network[1].running_var, 0.5, 2)
    crop = CropRecipe(height=16, width=16, crop_pct=1.0, crop_mode="center", interpolation="bicubic")
    plain = Classifier("tiny", network.eval(), mean=[0.5] * 3, std=[0.2] * 3, crop=crop, label_space=unnamed_classes(4))
    wrapped = DefendedClassifier(plain, defense)
    for name in ("name", "weights_digest", "crop", "input_size", "precision"):
        assert getattr(wrapped, name) == getattr(plain, name)
    images = rand(8, 3, 16, 16)
    inside = DefendedClassifier(prepare_fast(plain), defense)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in inside.modules())
    for fast in (inside, prepare_fast(wrapped)):
        torch.testing.assert_close(fast(images), wrapped(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("defense", [ResizeAndPad(), NoiseVote()], ids=lambda defense: defense.name)
def test_another_seed_or_image_is_another_draw(defense):
    images = rand(4, 3, 16, 16)
    images[1] = images[0]
    images[2] = images[0]
    images[2, 0, 0, 0] += 1e-6

    def shown(seed):
        network = Recording()
        DefendedClassifier(network, replace(defense, seed=seed))(images)
        return torch.stack(network.shown[:8]) if defense.name == "noise_vote" else network.shown[0]

    first = shown(0)
    assert torch.equal(first, shown(0))
    assert not torch.equal(first, shown(1))
    if defense.name == "noise_vote":
        assert torch.equal(first[:, 1], first[:, 0])
        assert (first[:, 2] - first[:, 0]).abs().max() > 0.1


# Gradients


@pytest.mark.parametrize("defense", [JPEG(quality=30), BitDepth(bits=2)], ids=lambda defense: defense.name)
def test_bpda_is_the_networks_gradient_at_the_defended_image(defense):
    images = rand(3, 3, 16, 16)
    network = Squared(3 * 16 * 16)
    shown = defense.transform(images, []).flatten(1)
    by_hand = (2 * (shown @ network.weight)[:, None] * network.weight).view_as(images)
    adaptive = DefendedClassifier(network, replace(defense, gradient="adaptive"))
    torch.testing.assert_close(gradient_of_first_logit(adaptive, images), by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("defense", [JPEG(), BitDepth(), NoiseVote()], ids=lambda defense: defense.name)
def test_what_has_no_gradient_gives_exact_zeros_when_naive(defense):
    gradient = gradient_of_first_logit(DefendedClassifier(Recording(), defense), rand(3, 3, 16, 16))
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("gradient", ["naive", "adaptive"])
def test_smoothing_passes_its_own_gradient_on(gradient):
    blur = DefendedClassifier(Recording(), GaussianSmoothing(sigma=0.7, gradient=gradient))
    interior = gradient_of_first_logit(blur, rand(1, 3, 16, 16))[0, 0, 8, 8]
    assert float(interior) == pytest.approx(20 / 256, rel=1e-4)  # the kernel sums to 1
    # By hand: of the values 0 ... 8, window by window, 3x3 with the edges repeated, the middle one takes it all.
    image = torch.arange(9.0).view(1, 1, 3, 3).expand(1, 3, 3, 3) / 8
    median = DefendedClassifier(Recording(), MedianSmoothing(size=3, gradient=gradient))
    taken = scipy.ndimage.median_filter(np.arange(9).reshape(3, 3), size=3, mode="reflect")
    expected = np.bincount(taken.flatten(), minlength=9).reshape(3, 3) * 20 / 9
    np.testing.assert_allclose(gradient_of_first_logit(median, image)[0, 0].numpy(), expected, rtol=1e-5)


def test_eot_averages_the_gradients_of_the_draws():
    defense = ResizeAndPad(smallest=0.5, canvas=1.5, draws=4, gradient="adaptive")
    images = rand(2, 3, 6, 6)
    network = Squared(3 * 9 * 9)
    by_hand = torch.zeros_like(images)
    for row, image in enumerate(images):
        for draw in range(4):
            seed = [derive_seed(0, image_digests(image[None])[0], draw)]
            # Resizing and padding is affine: its matrix from what it makes of each single pixel.
            base = defense.transform(torch.zeros(1, 3, 6, 6), seed).flatten()
            units = torch.eye(108).view(108, 3, 6, 6)
            matrix = torch.stack([defense.transform(unit[None], seed).flatten() - base for unit in units])
            score = (image.flatten() @ matrix + base) @ network.weight
            by_hand[row] += (2 * score * (matrix @ network.weight)).view(3, 6, 6) / 4
    averaged = gradient_of_first_logit(DefendedClassifier(network, defense), images)
    torch.testing.assert_close(averaged, by_hand, rtol=1e-4, atol=1e-4)


def test_the_votes_gradient_is_averaged_over_the_very_votes():
    defense = NoiseVote(sigma=0.3, votes=5, gradient="adaptive")
    images = rand(2, 3, 4, 4)
    network = Squared(48)
    by_hand = torch.zeros_like(images)
    for row, image in enumerate(images):
        for vote in range(5):
            seed = derive_seed(0, image_digests(image[None])[0], vote)
            shown = image + 0.3 * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
            by_hand[row] += (2 * (shown.flatten() @ network.weight) * network.weight).view(3, 4, 4) / 5
    averaged = gradient_of_first_logit(DefendedClassifier(network, defense), images)
    torch.testing.assert_close(averaged, by_hand, rtol=1e-4, atol=1e-4)


def test_defenses_compose():
    images = rand(2, 3, 16, 16)
    network = Recording()
    inner, outer = BitDepth(bits=2, gradient="adaptive"), JPEG(quality=50, gradient="adaptive")
    both = DefendedClassifier(DefendedClassifier(network, inner), outer)
    gradient = gradient_of_first_logit(both, images)
    assert torch.equal(network.shown[0], inner.transform(outer.transform(images, []), []))
    torch.testing.assert_close(gradient[:, 0], torch.full((2, 16, 16), 20 / 256))


# Configuration


@pytest.mark.parametrize("path", sorted((CONF / "defense").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_yaml_states_every_default_of_its_class(path):
    node = OmegaConf.merge({"seed": 0}, {"defense": OmegaConf.load(path)}).defense
    defense = build_defense(node)
    assert node.name == path.stem
    if path.stem != "none":
        assert defense == DEFENSES[path.stem]()
        assert set(node) == {"name", *(field.name for field in fields(defense))}


def test_every_defense_has_a_yaml():
    assert {path.stem for path in (CONF / "defense").glob("*.yaml")} == {"none", *DEFENSES}


def test_the_identity_states_all_that_may_change_an_outcome_and_nothing_else():
    assert JPEG(quality=30).describe() == "jpeg(quality=30, gradient=naive)"
    assert ResizeAndPad(draws=3).describe() == ResizeAndPad(draws=5).describe()
    assert ResizeAndPad(draws=3, gradient="adaptive").describe() == (
        "resize_and_pad(seed=0, smallest=1.0, canvas=1.107, draws=3, gradient=adaptive)"
    )
    assert NoiseVote(votes=3).describe() != NoiseVote(votes=5).describe()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JPEG(quality=101), "quality is 1 to 100, not 101"),
        (lambda: BitDepth(bits=9), "bits are 1 to 8, not 9"),
        (lambda: GaussianSmoothing(sigma=0), "sigma is above 0"),
        (lambda: MedianSmoothing(size=1), "size is at least 2"),
        (lambda: ResizeAndPad(smallest=1.2), "smallest is above 0 and below canvas"),
        (lambda: ResizeAndPad(draws=0), "draws are at least 1"),
        (lambda: NoiseVote(votes=0), "votes are at least 1"),
        (lambda: NoiseVote(gradient="bpda"), "unknown gradient 'bpda'"),
    ],
)
def test_parameters_that_cannot_work_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()

"""Words and laws against published vectors, other implementations, and the exact inverse distribution function."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtri

from bench.rng import draw_integers, draw_normal, draw_scalars, draw_uniform, draw_words, philox
from bench.rng.launched import _WORDS, _normal_source
from bench.rng.laws import seed_tensor
from bench.rng.normal import coefficients, normal_of_words

CPU = torch.device("cpu")
SEEDS = [0, 1, 2**31, 2**32, 12345678901234567, 2**63 - 1]
VECTORS = [  # kat_vectors of Random123 1.14: counter, key, words
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def column(values):
    return tuple(torch.tensor([value]) for value in values)


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_published_vectors(counter, key, expected):
    assert [int(word) for word in philox.philox(column(counter), column(key))] == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_words_are_those_of_randomgen(seed):
    randomgen = pytest.importorskip("randomgen")
    theirs = randomgen.Philox(counter=0, key=seed, number=4, width=32)
    # it counts on before its first block
    ours = draw_words([seed], (104,), CPU).numpy().view(np.uint32)[0]
    assert ours[4:].tolist() == theirs.random_raw(100).tolist()


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3), st.integers(1, 1100), st.integers(0, 5))
def test_compiled_words_and_normals_are_bit_for_bit_the_tensor_operations(seeds, count, stream):
    expected = philox.words(seed_tensor(seeds, CPU), count, 0)
    assert torch.equal(draw_words(seeds, (count,), CPU), expected)
    assert torch.equal(draw_normal(seeds, (count,), CPU), normal_of_words(expected))


def test_a_place_depends_on_no_other_place_or_image():
    together = draw_normal(SEEDS, (3, 50, 41), CPU)
    for row, seed in enumerate(SEEDS):
        assert torch.equal(draw_normal([seed], (3, 50, 41), CPU)[0], together[row])
    assert torch.equal(draw_words([7], (10,), CPU), draw_words([7], (1000,), CPU)[:, :10])


def test_normal_draws_lie_on_the_exact_inverse():
    # both tails to the end, and a million places between
    edge = torch.arange(2**12)
    words = torch.cat([edge, 2**31 - 1 - edge, draw_words([3], (2**20,), CPU)[0] & 0x7FFFFFFF]).to(torch.int32)
    exact = -ndtri((words.double().numpy() + 0.5) / 2**32)
    assert np.abs(normal_of_words(words).numpy() - exact).max() < 1e-6
    assert torch.equal(normal_of_words(words | -(2**31)), -normal_of_words(words))


def test_normal_draws_follow_the_law():
    draws = draw_normal(range(40), (3, 64, 64), CPU).flatten().numpy()
    assert stats.kstest(draws, "norm").pvalue > 1e-4
    # pairs of neighbours, on a grid of equal chances: dependence between words would show
    grid = np.floor(stats.norm.cdf(draws) * 16).astype(int).clip(0, 15).reshape(-1, 2)
    assert stats.chisquare(np.bincount(grid[:, 0] * 16 + grid[:, 1], minlength=256)).pvalue > 1e-4


def test_a_law_that_is_off_fails():
    draws = draw_normal(range(40), (3, 64, 64), CPU).flatten().numpy()
    assert stats.kstest(draws * 1.01, "norm").pvalue < 1e-4


def test_uniform_integers_and_scalars_follow_their_laws():
    uniform = draw_uniform(range(8), (100_000,), CPU).double()
    assert uniform.min() >= -1
    assert uniform.max() <= 1
    assert stats.kstest(uniform.flatten().numpy(), "uniform", args=(-1, 2)).pvalue > 1e-4
    integers = draw_integers(range(8), (100_000,), 36, CPU)
    assert stats.chisquare(np.bincount(integers.flatten().numpy(), minlength=36)).pvalue > 1e-4
    scalars = draw_scalars(range(100_000), 3)
    assert scalars.dtype == torch.float64
    assert stats.kstest(scalars.flatten().numpy(), "uniform").pvalue > 1e-4
    assert np.abs(np.corrcoef(scalars.T.numpy())[np.triu_indices(3, 1)]).max() < 0.02


def test_scalars_have_a_stream_of_their_own():
    high = (draw_words([9], (4,), CPU)[0, ::2].long() & 0xFFFFFFFF).double() / 2**32
    assert (draw_scalars([9], 2)[0] - high).abs().min() > 1e-6


def test_the_table_is_the_same_on_every_machine():
    # SciPy's last bits must not reach the draws; another digest means other outcomes, and so another version
    assert hashlib.sha256(coefficients().tobytes()).hexdigest()[:16] == "21dfab2ded212ff3"


def test_torch_can_read_the_source_for_cuda():
    from torch.cuda.jiterator import _CodeParser

    for source, name in ((_WORDS, "philox_word"), (_normal_source(), "philox_normal")):
        parsed = _CodeParser(source)
        assert (parsed.function_name, parsed.template_params) == (name, "<typename T>")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same_bits():
    device = torch.device("cuda")
    for shape in ((3, 224, 224), (7,), (2, 31, 5)):
        for draw in (draw_words, draw_normal, draw_uniform):
            assert torch.equal(draw(SEEDS, shape, device).cpu(), draw(SEEDS, shape, CPU))
        assert torch.equal(draw_integers(SEEDS, shape, 64, device).cpu(), draw_integers(SEEDS, shape, 64, CPU))

"""The order of sampling: a permutation, class-balanced in every window, independent of the order of files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.order import balanced_order, window
from bench.errors import DataError

sizes = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def images_of(class_sizes: list[int]) -> tuple[list[str], np.ndarray]:
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    return [f"{label}/{index}.jpg" for index, label in enumerate(labels)], labels


@settings(max_examples=50, deadline=None)
@given(sizes, st.data())
def test_every_window_holds_each_class_in_its_share(class_sizes: list[int], data: st.DataObject) -> None:
    names, labels = images_of(class_sizes)
    order = balanced_order(names, labels)
    assert sorted(order) == list(range(len(names)))
    n = len(names)
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    counts = np.bincount(labels[order[start:stop]], minlength=len(class_sizes))
    # at either end, each class may be one image ahead or behind, and the classes together shift the end by as many
    expected = (stop - start) / n * np.array(class_sizes)
    assert (np.abs(counts - expected) <= 2 + 2 * len(class_sizes) * np.array(class_sizes) / n).all()


def test_the_order_does_not_depend_on_the_order_of_the_files() -> None:
    names, labels = images_of([7, 3, 5])
    order = [names[position] for position in balanced_order(names, labels)]
    shuffle = np.random.default_rng(1).permutation(len(names))
    renamed = [names[position] for position in shuffle]
    assert [renamed[position] for position in balanced_order(renamed, labels[shuffle])] == order
    assert order != names


def test_equal_classes_come_round_in_turn() -> None:
    names, labels = images_of([20] * 5)
    shown = labels[balanced_order(names, labels)].reshape(20, 5)
    assert all(sorted(row) == [0, 1, 2, 3, 4] for row in shown)


def test_what_has_no_order_is_refused() -> None:
    with pytest.raises(DataError, match="2 images with 1 labels"):
        balanced_order(["a", "b"], np.array([0]))
    with pytest.raises(DataError, match="0 images"):
        balanced_order([], np.array([], dtype=np.int64))


def places(cell: int, n_cells: int, size: int, n: int) -> list[int]:
    return [place for start, stop in window(cell, n_cells, size, n) for place in range(start, stop)]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 60), st.data())
def test_windows_are_nested_and_share_no_image_while_there_are_enough(
    n_cells: int, n: int, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, n))
    windows = [places(cell, n_cells, size, n) for cell in range(n_cells)]
    assert all(len(set(own)) == size and own == sorted(own) for own in windows)
    if size < n:
        assert all(set(own) < set(places(cell, n_cells, size + 1, n)) for cell, own in enumerate(windows))
    if size * n_cells <= n:
        assert len({place for own in windows for place in own}) == size * n_cells


def test_a_window_goes_round_and_the_largest_is_the_set() -> None:
    assert window(1, 2, 3, 10) == [(5, 8)]
    assert window(1, 2, 7, 10) == [(0, 2), (5, 10)]
    assert window(1, 2, 10, 10) == [(0, 10)]
    for cell, n_cells, size in ((2, 2, 3), (-1, 2, 3), (0, 2, 0), (0, 2, 11)):
        with pytest.raises(ValueError, match="no window"):
            window(cell, n_cells, size, 10)

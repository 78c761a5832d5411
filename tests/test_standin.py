"""Tests of the drawn stand-in for Fashion-MNIST."""

import numpy as np
import pytest
from d2lhelpers import standin

FASHION_MNIST_MEAN, FASHION_MNIST_STD = 72.9, 90.0  # Of the pixels of the real training set.


@pytest.fixture(scope="module")
def drawn():
    """2,003 training and 997 test images."""
    return standin.draw(2003, 997, seed=1)


def test_shapes_and_types(drawn):
    """The arrays are what the data module caches."""
    train_images, train_labels, test_images, test_labels = drawn
    assert train_images.shape == (2003, 28, 28) and test_images.shape == (997, 28, 28)
    assert train_labels.shape == (2003,) and test_labels.shape == (997,)
    assert train_images.dtype == test_images.dtype == np.uint8
    assert train_labels.dtype == test_labels.dtype == np.int32


def test_classes_are_balanced_and_shuffled(drawn):
    """The sizes of the classes differ by one at most, and the start of each set holds all of them."""
    for labels in drawn[1::2]:
        sizes = np.bincount(labels, minlength=10)
        assert len(sizes) == 10 and np.ptp(sizes) <= 1
        assert set(labels[:200]) == set(range(10))


def test_seed_decides_the_images(drawn):
    """The same seed gives the same arrays, another seed gives others."""
    for array, again in zip(drawn, standin.draw(2003, 997, seed=1), strict=True):
        np.testing.assert_array_equal(array, again)
    other = standin.draw(2003, 997, seed=2)
    assert all((array != another).any() for array, another in zip(drawn, other, strict=True))


def test_no_image_is_drawn_twice(drawn):
    """No two images are the same, within a set or across the two."""
    images = np.concatenate(drawn[::2])
    assert len({image.tobytes() for image in images}) == len(images)


def test_pixels_are_like_fashion_mnist(drawn):
    """Mean and standard deviation are near those of the real images, on a black background."""
    images = drawn[0]
    assert images.mean() == pytest.approx(FASHION_MNIST_MEAN, abs=4)
    assert images.std() == pytest.approx(FASHION_MNIST_STD, abs=4)
    assert np.median(images[:, 0, 0]) == 0


def test_every_class_is_drawn_apart(drawn):
    """The nearest class mean tells the classes apart, but not so well that there would be nothing to learn."""
    train_images, train_labels, test_images, test_labels = drawn
    means = np.stack([train_images[train_labels == label].mean(axis=0) for label in range(10)])
    distances = ((test_images[:, None].astype(np.float32) - means) ** 2).sum(axis=(2, 3))
    hits = distances.argmin(axis=1) == test_labels
    assert 0.5 < hits.mean() < 0.9
    # The shirt, which is the hardest of the real classes too, is the one that may be near chance.
    assert all(hits[test_labels == label].mean() > 0.3 for label in range(10) if label != 6)


@pytest.mark.parametrize("train_size, test_size", [(0, 0), (1, 0), (7, 11)])
def test_small_sizes(train_size, test_size):
    """Sizes below the number of classes leave some classes out, and 0 leaves out all."""
    train_images, train_labels, test_images, test_labels = standin.draw(train_size, test_size)
    assert len(train_images) == len(train_labels) == len(set(train_labels)) == train_size
    assert len(test_images) == len(test_labels) == test_size


def test_a_class_may_exceed_a_canvas(monkeypatch):
    """No image is left out, or black, where a class takes several canvases."""
    monkeypatch.setattr(standin, "_BATCH", 7)
    images = standin.draw(300, 0)[0]
    assert images.max(axis=(1, 2)).min() > 0


@pytest.mark.parametrize("name", ["train_size", "test_size", "seed"])
@pytest.mark.parametrize("value", [-1, 2.5, "10", None])
def test_bad_arguments_are_named(name, value):
    """The error says which argument is wrong, what it is and what would be right."""
    arguments = {"train_size": 10, "test_size": 10, name: value}
    with pytest.raises(ValueError, match=f"{name} is {value!r}; it must be a whole number of at least 0"):
        standin.draw(**arguments)

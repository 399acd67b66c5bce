import pytest
from torch import Tensor
from torchvision.transforms.functional import resize


@pytest.fixture(scope="session")
def thumbnails(photographs) -> Tensor:
    """``(12,3,32,32)`` uint8: the photographs reduced to CIFAR's size."""
    return resize(photographs, [32, 32], antialias=True)

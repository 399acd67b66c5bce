from importlib.resources import files

import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import center_crop, pil_to_tensor, resize


@pytest.fixture(scope="session")
def photographs() -> Tensor:
    """``(12,3,224,224)`` uint8 photographs, shipped with foolbox."""
    paths = sorted(
        (path for path in (files("foolbox") / "data").iterdir() if path.name.startswith("imagenet_")),
        key=lambda path: path.name,
    )[:12]
    crops = []
    for path in paths:
        with path.open("rb") as file:
            crops.append(pil_to_tensor(center_crop(resize(Image.open(file).convert("RGB"), 256), [224, 224])))
    return torch.stack(crops)


@pytest.fixture(scope="session")
def thumbnails(photographs) -> Tensor:
    """``(12,3,32,32)`` uint8: the photographs reduced to CIFAR's size."""
    return resize(photographs, [32, 32], antialias=True)

from importlib.resources import files
from pathlib import Path

import pytest

SAMPLES = Path(str(files("foolbox") / "data"))


@pytest.fixture(scope="session")
def sample_files() -> list[Path]:
    """The 20 photographs that foolbox ships; the last part of the name is the ImageNet class."""
    return sorted(SAMPLES.glob("imagenet_*.jpg"))


@pytest.fixture
def image_folder(tmp_path, sample_files) -> Path:
    """Eight photographs in class folders named by index."""
    root = tmp_path / "images"
    for path in sample_files[:8]:
        folder = root / path.stem.split("_")[2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    return root

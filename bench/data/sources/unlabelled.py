"""``data.source=unlabelled``: sets of images that show no class; and ``ood_samples``, some that packages ship."""

import hashlib
import importlib.util
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import LabelSpace
from bench.data.source import DataSource, dataset_name
from bench.data.sources.folder import ReadFile, check_folder
from bench.data.sources.rows import EncodeRow
from bench.errors import ConfigurationError, DataError

KIND = "sets"
"""What these images are labelled with."""
OPENOOD_LISTS, OPENOOD_IMAGES = Path("benchmark_imglist") / "imagenet", "images_largescale"
"""Where OpenOOD keeps the lists of its ImageNet benchmark, and the images."""
NO_CLASS = "-1"
"""Label of such images in OpenOOD's lists."""
HIDDEN = "."


def check_unlabelled(config: DataConfig) -> None:
    """Refuse a missing folder, lists that are not there, and settings about classes.

    Raises:
        ConfigurationError: naming what does not fit.
    """
    for option in ("class_map", "class_groups"):
        if getattr(config, option) is not None:
            raise ConfigurationError(f"data.{option} means nothing to data.source=unlabelled: its images have no class")
    if config.other_classes != "refuse":
        raise ConfigurationError("data.other_classes means nothing to data.source=unlabelled: its images have no class")
    check_folder(config.root)
    if config.labels is not None and not Path(config.labels).exists():
        raise ConfigurationError(
            f"no image lists at data.labels={config.labels}: give a file or a folder of test_*.txt"
        )


def load_unlabelled(config: DataConfig) -> Dataset:
    """The images of each set, by name of the set and path; a label is the number of the image's set.

    - With image lists in OpenOOD's form (lines of ``PATH LABEL``) in ``data.labels``, a file or a folder of
      ``test_<set>.txt``, or in ``benchmark_imglist/imagenet`` below ``data.root``: the sets whose labels are all -1.
    - Otherwise each folder in ``data.root`` is a set, with all images below it; a folder without folders is one set.

    Raises:
        DataError: no set, an empty one, a line that cannot be read, or an image that is not there.
    """
    root = Path(str(config.root)).absolute()
    lists, images = _lists_of(root, config.labels)
    sets = _listed_sets(lists) if lists else _folder_sets(root)
    empty = [name for name, paths in sets.items() if not paths]
    if empty or not sets:
        what = f"the set {empty[0]} of {root} has no images" if empty else f"no set of unlabelled images in {root}"
        raise DataError(f"{what}: expected {root}/<set>/**, or OpenOOD's image lists (data.labels=FOLDER)")
    return _dataset(dataset_name(config), images, sets)


def _lists_of(root: Path, labels: str | None) -> tuple[list[Path], Path]:
    """The image lists, if there are any, and the folder that their paths start from."""
    if labels is not None:
        given = Path(labels)
        return (sorted(given.glob("test_*.txt")) if given.is_dir() else [given]), root
    if (root / OPENOOD_LISTS).is_dir():
        return sorted((root / OPENOOD_LISTS).glob("test_*.txt")), root / OPENOOD_IMAGES
    return [], root


def _listed_sets(lists: list[Path]) -> dict[str, list[str]]:
    """Set -> paths, of the lists without any class."""
    sets = {}
    for file in lists:
        lines = [line.rsplit(maxsplit=1) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        for number, parts in enumerate(lines, start=1):
            if len(parts) != 2 or not parts[1].removeprefix("-").isdecimal():
                raise DataError(f"{file}, image {number}: expected PATH LABEL, as in OpenOOD's image lists")
            if Path(parts[0]).is_absolute() or ".." in Path(parts[0]).parts:
                raise DataError(f"{file}, image {number}: {parts[0]} leads out of the folder of the images")
        if all(label == NO_CLASS for _, label in lines):
            sets[file.stem.removeprefix("test_")] = [path for path, _ in lines]
    return sets


def _folder_sets(root: Path) -> dict[str, list[str]]:
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith(HIDDEN))
    return {name: _files(root, root / name) for name in folders} if folders else {root.name: _files(root, root)}


def _files(root: Path, folder: Path) -> list[str]:
    paths = [
        (Path(parent) / name).relative_to(root).as_posix()
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.startswith(HIDDEN)
    ]
    return sorted(paths)


def _dataset(name: str, root: Path, sets: Mapping[str, list[str]]) -> Dataset:
    digest = hashlib.blake2b(digest_size=16)
    image_ids: list[str] = []
    paths: list[str] = []
    for own, listed in sorted(sets.items()):
        for path in listed:
            try:
                status = (root / path).stat()
            except OSError as error:
                raise DataError(f"{root / path} of the set {own} is not there ({error.strerror})") from error
            digest.update(
                f"{own}\x1f{path}\x1f{status.st_size}\x1f{status.st_mtime_ns}\n".encode(errors="surrogateescape")
            )
            image_ids.append(path if path.startswith(f"{own}/") else f"{own}/{path}")
            paths.append(path)
    return Dataset(
        name=name,
        image_ids=tuple(image_ids),
        labels=np.array([number for number, own in enumerate(sorted(sets)) for _ in sets[own]], dtype=np.int64),
        label_space=_space(sets),
        read_bytes=ReadFile(str(root), tuple(paths)),
        fingerprint=digest.hexdigest(),
    )


def _space(sets: Iterable[str]) -> LabelSpace:
    """The sets as classes, so that subsets of the images have as many of each."""
    names = tuple(sorted(sets))
    return LabelSpace(KIND, len(names), names)


SAMPLES: Mapping[str, tuple[str, ...]] = {
    "photographs": (
        *("cell.png", "coins.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png", "page.png"),
        *("retina.jpg", "text.png"),
    ),
    "textures": ("brick.png", "grass.png", "gravel.png"),
}
"""Files that scikit-image ships and that show none of ImageNet's classes, by set."""
NOISE_IMAGES, NOISE_SIDE = 6, 256


@dataclass(frozen=True)
class _ReadSample:
    """Position -> encoded image: first the files, then noise."""

    files: ReadFile
    noise: EncodeRow

    def __call__(self, position: int) -> bytes:
        n_files = len(self.files.paths)
        return self.files(position) if position < n_files else self.noise(position - n_files)


def load_ood_samples(config: DataConfig) -> Dataset:
    """Photographs and textures of scikit-image, and noise: enough for a first look, and for tests.

    Raises:
        DataError: scikit-image is not installed, or lacks one of the files.
    """
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise DataError("data.source=ood_samples reads images of the package scikit-image, which is not installed")
    root = Path(spec.origin).parent / "data"
    paths = [file for files in SAMPLES.values() for file in files]
    missing = [file for file in paths if not (root / file).is_file()]
    if missing:
        raise DataError(f"the installed scikit-image has no {missing[0]}: install another version of it")
    # uniform noise, white noise around grey, and blocks of one colour, two of each
    generator = np.random.default_rng(0)
    side = NOISE_SIDE
    uniform = generator.integers(0, 256, (2, side, side, 3))
    white = generator.normal(128, 40, (2, side, side, 3)).clip(0, 255)
    blocks = generator.integers(0, 256, (2, side // 32, side // 32, 3)).repeat(32, axis=1).repeat(32, axis=2)
    noise = np.concatenate([uniform, white, blocks]).astype(np.uint8)
    names = [f"{own}/{file}" for own, files in SAMPLES.items() for file in files]
    names += [f"noise/{number}.ppm" for number in range(NOISE_IMAGES)]
    space = _space(("noise", *SAMPLES))
    listing = "\n".join(f"{path} {(root / path).stat().st_size}" for path in paths).encode() + noise.tobytes()
    return Dataset(
        name=dataset_name(config),
        image_ids=tuple(names),
        labels=np.array([space.numbers[name.partition("/")[0]] for name in names], dtype=np.int64),
        label_space=space,
        read_bytes=_ReadSample(ReadFile(str(root), tuple(paths)), EncodeRow(noise)),
        fingerprint=hashlib.blake2b(listing, digest_size=16).hexdigest(),
    )


SOURCE = DataSource(load=load_unlabelled, check=check_unlabelled, label_kind=KIND, counted_at_once=True)
OOD_SAMPLES = DataSource(load=load_ood_samples, check=lambda _: None, label_kind=KIND, counted_at_once=True)

"""``data.list``: the images on a list alone, each exactly once."""

import sys

import pytest

from bench.data import DataConfig, check_data, load_dataset
from bench.data.label_spaces import imagenet
from bench.data.selection import list_file
from bench.errors import ConfigurationError, DataError

WNIDS = imagenet().class_names


@pytest.fixture
def listed(tmp_path):
    """Six images in three class folders, and a list of some of them."""
    for number, wnid in enumerate(WNIDS[:3]):
        (tmp_path / "val" / wnid).mkdir(parents=True)
        for place in (1, 2):
            (tmp_path / "val" / wnid / f"ILSVRC2012_val_{2 * number + place:08d}.JPEG").write_bytes(b"x")

    def make(*lines, **settings):
        (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
        return DataConfig(source="folder", root=str(tmp_path / "val"), list=str(tmp_path / "list.txt"), **settings)

    return make


def test_names_may_have_more_or_fewer_folders_before_them(listed):
    config = listed(
        "ILSVRC2012_val_00000005.JPEG",
        f"val/{WNIDS[0]}/ILSVRC2012_val_00000002.JPEG",
        f"{WNIDS[1]}/ILSVRC2012_val_00000003.JPEG",
    )
    check_data(config)
    dataset = load_dataset(config, imagenet())
    assert [name.rpartition("_")[2] for name in dataset.image_ids] == [
        "00000002.JPEG",
        "00000003.JPEG",
        "00000005.JPEG",
    ]
    assert dataset.labels.tolist() == [0, 1, 2]
    assert load_dataset(listed("ILSVRC2012_val_00000005.JPEG"), imagenet()).fingerprint != dataset.fingerprint


def test_the_order_of_the_list_changes_nothing(listed):
    names = [f"ILSVRC2012_val_0000000{number}.JPEG" for number in (1, 4, 6)]
    assert load_dataset(listed(*names)).fingerprint == load_dataset(listed(*reversed(names))).fingerprint


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "lists no images"),
        (
            ["ILSVRC2012_val_00000009.JPEG"],
            "lists 'ILSVRC2012_val_00000009.JPEG', and none of the images has that name",
        ),
        ([f"{WNIDS[1]}/ILSVRC2012_val_00000001.JPEG"], "none of the images has that name"),
        (
            ["ILSVRC2012_val_00000001.JPEG", f"{WNIDS[0]}/ILSVRC2012_val_00000001.JPEG"],
            "ILSVRC2012_val_00000001.JPEG' twice",
        ),
    ],
)
def test_a_list_that_does_not_fit_is_refused_before_any_work(listed, lines, message):
    with pytest.raises(DataError, match=message):
        check_data(listed(*lines))


def test_a_limit_is_of_the_listed_images(listed):
    with pytest.raises(ConfigurationError, match=r"data\.limit=2 is more than the 1 images"):
        check_data(listed("ILSVRC2012_val_00000001.JPEG", limit=2))


def test_a_missing_list_names_the_nearest(listed, tmp_path):
    config = listed("ILSVRC2012_val_00000001.JPEG")
    config.list = str(tmp_path / "lst.txt")
    with pytest.raises(ConfigurationError, match=r"no list of images at .*lst.txt; did you mean 'list.txt'"):
        check_data(config)


def test_robustbenchs_list_is_its_packages(tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="which is not installed here"):
        list_file("robustbench")
    package = tmp_path / "robustbench"
    (package / "helper_files").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "helper_files" / "imagenet_test_image_ids.txt").write_text(
        "val/n01440764/ILSVRC2012_val_00000293.JPEG\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("robustbench", None)
    assert list_file("robustbench") == package / "helper_files" / "imagenet_test_image_ids.txt"

"""Coarse classes: packaged and published maps, files of one's own, and what is refused."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from bench.data import DataConfig, LabelSpace, check_data, check_labels, load_dataset
from bench.data.class_groups import IMAGENET_9, ClassGroups, read_class_groups
from bench.data.dataset import DecisionGroups
from bench.data.label_spaces import KNOWN_SPACES, imagenet, unnamed_classes
from bench.errors import ConfigurationError, DataError
from bench.models import DEFENSES, DefendedClassifier, group_scores, restrict
from bench.models import ClassGroups as GroupedClassifier


@pytest.mark.parametrize(
    ("name", "n_groups", "n_classes", "rule", "known"),
    [
        ("laion_c", 16, 285, "mean", {"fruit": "strawberry", "chair": "folding chair"}),
        ("imagenet_d", 113, 125, "argmax", {"wine_bottle": "wine bottle", "toilet_paper_roll": "toilet tissue"}),
    ],
)
def test_packaged_groups_have_the_published_size_and_members(name, n_groups, n_classes, rule, known):
    groups = read_class_groups(name, None, None)
    members = [member for own in groups.members for member in own]
    assert (groups.space.n_classes, len(members), len(set(members))) == (n_groups, n_classes, n_classes)
    assert groups.rule == rule
    for group, title in known.items():
        own = groups.members[groups.space.numbers[group]]
        assert any(imagenet().titles[member].startswith(title) for member in own)


def test_imagenet_o_has_200_classes_of_which_no_more_than_its_own_are_decided_on():
    subset = KNOWN_SPACES["imagenet_o"].subset()
    assert len(set(subset)) == 200
    assert list(subset) == sorted(subset)
    assert imagenet().class_names[subset[0]] == "n01443537"


@pytest.fixture
def folders(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / "images" / name).mkdir(parents=True)
            (tmp_path / "images" / name / "one.jpg").write_bytes(b"x")
        return str(tmp_path / "images")

    return make


def test_a_file_of_groups_may_name_classes_by_number_or_wnid(tmp_path, folders):
    file = tmp_path / "groups.json"
    file.write_text(json.dumps({"cat": [281, "n02123159"], "fish": [0, 1]}))
    config = DataConfig(source="folder", root=folders("fish", "cat"), class_groups=str(file))
    check_data(config)
    check_labels(config, imagenet())
    dataset = load_dataset(config, imagenet())
    assert dataset.label_space.class_names == ("cat", "fish")
    assert dataset.labels.tolist() == [0, 1]
    assert dataset.groups == DecisionGroups(((281, 282), (0, 1)), "argmax")
    shuffled = np.random.default_rng(0).permutation(1000)
    other = LabelSpace("shuffled", 1000, tuple(imagenet().class_names[number] for number in shuffled))
    columns = load_dataset(config, other).groups.columns
    assert [sorted(shuffled[list(own)].tolist()) for own in columns] == [[281, 282], [0, 1]]
    config.group_rule = "mean"
    assert load_dataset(config, imagenet()).groups.rule == "mean"


def test_folders_of_no_group_are_refused_by_name_or_left_out(tmp_path, folders):
    file = tmp_path / "groups.json"
    file.write_text(json.dumps({"cat": [281], "fish": [0]}))
    config = DataConfig(source="folder", root=folders("fish", "cats", "plane"), class_groups=str(file))
    with pytest.raises(ConfigurationError, match=r"'cats' of .* is none of the 2 classes .*did you mean 'cat'"):
        check_labels(config, imagenet())
    config.other_classes = "leave_out"
    check_labels(config, imagenet())
    assert load_dataset(config, imagenet()).image_ids == ("fish/one.jpg",)
    config.class_groups = str(tmp_path / "none.json")
    (tmp_path / "none.json").write_text(json.dumps({"car": [436]}))
    with pytest.raises(DataError, match="no image of images is of the classes that decisions are made among"):
        load_dataset(config, imagenet())


def test_images_of_other_classes_than_a_subsets_can_be_left_out(folders):
    wnids = imagenet().class_names
    root = folders(wnids[6], wnids[0], wnids[11])
    config = DataConfig(source="folder", root=root, label_space="imagenet_a", other_classes="leave_out")
    dataset = load_dataset(config, imagenet())
    assert dataset.labels.tolist() == [6, 11]
    assert len(dataset.class_ids) == 200
    with pytest.raises(ConfigurationError, match=r"leave_out needs data\.class_groups or a data\.label_space"):
        load_dataset(DataConfig(source="folder", root=root, other_classes="leave_out"), imagenet())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "no JSON object of group"),
        ('{"cat": ["n0"]}', "'n0' is neither a class number nor a wnid"),
        ('{"cat": [281], "pet": [281]}', "the class 281 is in two groups, and the rule argmax needs it in one"),
        ('{"cat": []}', "the group 'cat' has no class"),
        ('{"cat": [1000]}', "has the class number 1000, which ImageNet does not have"),
        ('{"0": 0, "1": 2}', "the group '1' has no class"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, folders, content, message):
    (tmp_path / "groups.json").write_text(content)
    config = DataConfig(source="folder", root=folders("cat"), class_groups=str(tmp_path / "groups.json"))
    with pytest.raises(ConfigurationError, match=message):
        check_data(config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_groups": "laionc"}, "no JSON file, nor a known set of groups: did you mean 'laion_c'"),
        ({"class_groups": "laion_c", "group_rule": "sum"}, "unknown data.group_rule 'sum'"),
        ({"group_rule": "mean"}, "data.group_rule is of data.class_groups"),
        ({"class_groups": "laion_c", "label_space": "imagenet"}, "leave out class_map and label_space"),
        ({"class_groups": "imagenet_9"}, "needs in_to_in9.json"),
        ({"class_groups": "objectnet"}, "needs the folder mappings"),
        ({"other_classes": "drop"}, "'refuse' or 'leave_out'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(folders, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        check_data(DataConfig(source="folder", root=folders("cat"), **settings))


def test_a_classifier_of_other_classes_is_refused(folders):
    config = DataConfig(source="folder", root=folders("cat"), class_groups="laion_c")
    with pytest.raises(ConfigurationError, match="the classifier has 10 classes whose names are not known"):
        check_labels(config, unnamed_classes(10))
    assert load_dataset(config, unnamed_classes(1000)).labels.tolist() == [sorted(_laion_names()).index("cat")]


def _laion_names():
    return read_class_groups("laion_c", None, None).space.class_names


def test_groups_by_class_number_have_imagenet_9s_names_where_there_are_nine(tmp_path):
    mapping = {str(number): number % 9 for number in range(90)} | {"99": -1}
    (tmp_path / "in_to_in9.json").write_text(json.dumps(mapping))
    groups = read_class_groups("imagenet_9", str(tmp_path / "bg_challenge"), None)
    assert groups.space.class_names == IMAGENET_9
    assert groups.members[3] == tuple(range(3, 90, 9))
    assert [groups.number_of(name) for name in ("02_wheeled vehicle", "fish", "09_house", "house")] == [
        2,
        8,
        None,
        None,
    ]


def scores(logits, groups, rule):
    """The rules, in plain Python."""
    if rule == "mean":
        probabilities = np.exp(logits) / np.exp(logits).sum()
        return [np.log(np.mean([probabilities[column] for column in own])) for own in groups]
    others = [value for column, value in enumerate(logits) if not any(column in own for own in groups)]
    return [max(logits[column] for column in own) for own in groups] + ([max(others)] if rule == "argmax" else [])


@pytest.mark.parametrize("rule", ["argmax", "max", "mean"])
def test_scores_are_the_rules_worked_out_one_by_one(rule):
    groups = ((4, 1), (7,), (0, 2, 9))
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(1)).double()
    expected = np.array([scores(row.numpy(), groups, rule) for row in logits])
    assert np.allclose(group_scores(logits, groups, rule).numpy(), expected, atol=1e-6)
    everything = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    assert group_scores(logits, everything, rule).shape == (6, 2), "no class is outside"


def test_a_defense_votes_among_the_groups():
    class Logits(torch.nn.Module):
        def forward(self, images):
            return images.mean((2, 3)) * 10

    groups = DecisionGroups(((2,), (0, 1)), "max")
    plain = restrict(Logits().eval(), groups=groups)
    assert isinstance(plain, GroupedClassifier)
    defended = restrict(DefendedClassifier(Logits().eval(), DEFENSES["bit_depth"]()), groups=groups)
    assert isinstance(defended, DefendedClassifier)
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert defended(images).shape == plain(images).shape == (3, 2)
    images.requires_grad_()
    plain(images).sum().backward()
    assert images.grad.abs().sum() > 0


def test_groups_are_checked_when_made():
    with pytest.raises(ConfigurationError, match=r"unknown data\.group_rule 'best'"):
        ClassGroups(LabelSpace("two", 2, ("a", "b")), ((0,), (1,)), "best")
    shared = ClassGroups(LabelSpace("two", 2, ("a", "b")), ((0, 1), (1,)), "mean")
    assert Counter(member for own in shared.members for member in own)[1] == 2

"""Corruptions on a pretended accelerator: the CPU's bytes, and bounded numbers of launches and waits for the host."""

import json
from pathlib import Path

import pytest
import torch
from pretended import pretended_device

from bench.corruptions.batched import BATCHED, corrupt
from bench.corruptions.parametric import MANIPULATIONS, manipulate
from bench.corruptions.sequences import SEQUENCES
from bench.records import Condition
from perf.device_costs import ATTACKS, corruption_counts, step_cost

COSTS = json.loads((Path(__file__).resolve().parents[2] / "perf" / "device_costs.json").read_text())
"""What `perf.device_costs` counted: launches and waits of a batch of 256, severity 3, tables already on the device."""
ROUNDED = {"snow", "motion_blur"}
"""An accelerator adds up their sums all at once, the CPU image by image: one byte in ten thousand may be one
level off."""


@pytest.mark.parametrize("name", BATCHED)
def test_bytes_are_the_cpus(name, photographs, thumbnails):
    of_each = {"imagenet_c": photographs, "imagecorruptions": photographs, "cifar10_c": thumbnails}
    for definition, images in of_each.items():
        for severity in (1, 3, 5):
            condition = Condition(name, severity)
            here = corrupt(images[:3], condition, range(3), definition=definition)
            with pretended_device() as device:
                there = corrupt(images[:3].to(device), condition, range(3), definition=definition).cpu()
            apart = (there.int() - here.int()).abs()
            assert apart.max() <= (1 if name in ROUNDED else 0), (definition, severity)
            assert (apart > 0).float().mean() < 1e-4


@pytest.mark.parametrize("name", BATCHED)
def test_launches_and_waits_are_no_more_than_counted_before(name):
    counts, stated = corruption_counts(name, 256, 64), COSTS["corruptions"][name]
    assert counts.launches <= stated["launches"], (
        f"{dict(counts.by_name)}: python -m perf.device_costs, if it has to be"
    )
    assert counts.host_reads <= stated["host_reads"], dict(counts.reads_by_name)


def test_no_corruption_waits_but_for_spatters_outlines():
    assert {name for name, cost in COSTS["corruptions"].items() if cost["host_reads"]} == {"spatter"}


@pytest.mark.parametrize("name", ATTACKS)
def test_steps_of_attacks_wait_once(name):
    assert COSTS["attack_steps"][name]["host_reads"] <= 1
    assert step_cost(name) == COSTS["attack_steps"][name]


@pytest.mark.parametrize("name", SEQUENCES)
def test_frames_are_the_cpus(name, photographs):
    here = list(SEQUENCES[name](photographs[:2], [1, 2]))
    with pretended_device() as device:
        for frame, own in zip(SEQUENCES[name](photographs[:2].to(device), [1, 2]), here, strict=True):
            assert torch.equal(frame.cpu(), own)


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_manipulations_are_the_cpus(name, photographs):
    condition = Condition(name, MANIPULATIONS[name].published[-1])
    here = manipulate(photographs[:2], condition, [1, 2])
    with pretended_device() as device:
        assert torch.equal(manipulate(photographs[:2].to(device), condition, [1, 2]).cpu(), here)

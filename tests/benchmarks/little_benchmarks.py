"""Every benchmark with little to do, on a little network, for comparing devices."""

import numpy as np
import test_contract as contract
import torch

from bench.benchmarks import Batch
from bench.records import Outcomes

N = 7
NAMES = [name for name in contract.BENCHMARKS if name not in contract.ELSEWHERE]


class LittleNet(torch.nn.Module):
    """Convolutions and four logits; curved enough that attacks take several steps."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.features = torch.nn.Sequential(
                torch.nn.Conv2d(3, 6, 3, stride=2, padding=1), torch.nn.GELU(), torch.nn.Conv2d(6, 6, 3, padding=1)
            )
            self.head = torch.nn.Linear(6, 4)

    def forward(self, images):
        return 40 * self.head(self.features(images).mean((2, 3)))


def run(benchmark, classifier, crops, condition, device):
    shown = benchmark.read(crops, range(N), condition, seed=0)
    batch = Batch(
        shown.images.to(device),
        torch.as_tensor(crops.labels).to(device),
        crops.image_ids,
        condition=condition,
        side=shown.side,
    )
    return benchmark.run(classifier, batch, condition, seed=0)


def assert_same(left: Outcomes, right: Outcomes):
    for column, values in left.columns().items():
        assert np.array_equal(values, right.columns()[column], equal_nan=values.dtype.kind == "f"), column

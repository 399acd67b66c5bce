import pytest
import torch

from bench.explain import attribute


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (4, 4), (5, 3), (1, 1)])
def test_occlusion_by_brute_force(make_classifier, window, stride):
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 8, 3)]
    classifier = make_classifier(torch.nn.Sequential(*layers), 8)
    images = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([2, 0])
    maps = attribute(classifier, images, targets, "occlusion", window=window, stride=stride, baseline=0.3)
    for image, target, ours in zip(images, targets, maps, strict=True):
        total, windows = torch.zeros(8, 10), torch.zeros(8, 10)
        for top in starts(8, window, stride):
            for left in starts(10, window, stride):
                covered = image.clone()
                covered[:, top : top + window, left : left + window] = 0.3
                fall = classifier(image[None])[0, target] - classifier(covered[None])[0, target]
                total[top : top + window, left : left + window] += fall
                windows[top : top + window, left : left + window] += 1
        torch.testing.assert_close(ours, total / windows)


def starts(length, window, stride):
    """Windows start every ``stride`` pixels until one reaches the edge."""
    found = [0]
    while found[-1] + window < length:
        found.append(found[-1] + stride)
    return found


def test_windows_and_strides_have_sizes_that_fit_the_image(make_classifier, images):
    classifier = make_classifier("test_resnet")
    targets = torch.tensor([3])
    default = attribute(classifier, images(1, 32), targets, "occlusion")
    torch.testing.assert_close(default, attribute(classifier, images(1, 32), targets, "occlusion", window=4, stride=2))

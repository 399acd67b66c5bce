import gc
from pathlib import Path

import pytest
import torch

from bench.errors import ConfigurationError
from bench.explain import METHODS, attribute

QUICK = {
    "smoothgrad": {"samples": 2},
    "integrated_gradients": {"steps": 4},
    "occlusion": {"window": 16, "stride": 16},
}
ARCHITECTURES = ["test_resnet", "test_efficientnet", "test_mambaout", "test_vit"]


def build(make_classifier, architecture):
    return make_classifier(architecture, 32, **({"img_size": 32} if architecture == "test_vit" else {}))


@pytest.fixture(params=ARCHITECTURES)
def classifier(request, make_classifier):
    return build(make_classifier, request.param)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_one_finite_map_an_image(classifier, images, method):
    side = classifier.input_size[0]
    targets = torch.tensor([1, 20, 300])
    maps = attribute(classifier, images(3, side), targets, method, **QUICK.get(method, {}))
    assert maps.shape == (3, side, side)
    assert maps.isfinite().all()
    assert not maps.requires_grad
    assert METHODS[method].signed or (maps >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_map_depends_on_neither_batch_nor_inference_mode(classifier, images, method):
    pictures, targets = images(3), torch.tensor([1, 20, 300])
    settings = QUICK.get(method, {})
    together = attribute(classifier, pictures, targets, method, **settings)
    with torch.inference_mode():
        alone = attribute(classifier, pictures[1:2].clone(), targets[1:2].clone(), method, **settings)
    torch.testing.assert_close(alone[0], together[1], rtol=1e-3, atol=1e-4 * float(together.abs().max()))


@pytest.mark.parametrize("method", METHODS)
def test_the_classifier_is_left_as_it_was(classifier, images, method):
    pictures, targets = images(2), torch.tensor([1, 20])
    before, copy = classifier(pictures), pictures.clone()
    attribute(classifier, pictures, targets, method, **QUICK.get(method, {}))
    for module in classifier.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
        assert "forward_features" not in vars(module)
    assert torch.equal(pictures, copy)
    assert not pictures.requires_grad
    assert torch.equal(classifier(pictures), before)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in classifier.parameters())


def test_hooks_are_gone_after_an_error(make_classifier, images):
    classifier = make_classifier("test_vit", 32, img_size=32)
    with pytest.raises(RuntimeError):
        attribute(classifier, images(1), torch.tensor([1000]), "grad_cam")  # no such class
    with pytest.raises(RuntimeError):
        attribute(classifier, torch.rand(1, 4, 32, 32), torch.tensor([1]), "grad_cam")  # no such image
    for module in classifier.modules():
        assert not module._forward_hooks
        assert "forward_features" not in vars(module)


def test_unknown_names_are_refused_with_the_nearest_ones(channel_means, images):
    with pytest.raises(ConfigurationError, match="did you mean 'grad_cam'"):
        attribute(channel_means, images(1), torch.tensor([0]), "gradcam")
    with pytest.raises(ConfigurationError, match="smoothgrad has no setting 'sampels': did you mean 'samples'"):
        attribute(channel_means, images(1), torch.tensor([0]), "smoothgrad", sampels=3)
    with pytest.raises(ConfigurationError, match="it has none"):
        attribute(channel_means, images(1), torch.tensor([0]), "grad_cam", layer="layer4")


def test_a_class_may_be_asked_of_an_image_that_shows_another(make_classifier, images):
    classifier = make_classifier("test_resnet", 64)
    picture = images(1, 64).repeat(2, 1, 1, 1)
    first, second = attribute(classifier, picture, torch.tensor([3, 4]), "saliency")
    assert not torch.allclose(first, second)


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory in use where Linux tells it")
# looking at every object alive touches a deprecated one of torch
@pytest.mark.filterwarnings("ignore:`torch.distributed.reduce_op` is deprecated:FutureWarning")
def test_ten_thousand_images_leave_no_memory_behind(make_classifier, images):
    classifiers = [build(make_classifier, architecture) for architecture in ("test_resnet", "test_vit")]
    batch, targets = images(250), torch.arange(250)

    def explain(count):
        for _ in range(count // 250):
            for classifier in classifiers:
                for method in ("grad_cam", "guided_backprop"):
                    attribute(classifier, batch, targets, method)

    def tensors():
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1])

    explain(500)
    memory, alive = resident(), tensors()
    explain(10_000)
    assert tensors() == alive
    assert resident() < 1.05 * memory

"""Every model source: what is known before its weights, its logits against its own library, gradients or a refusal."""

import importlib.util
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from little_models import CASES, CODE, NAMES, photographs, to_onnx, to_program

import bench
from bench.attacks import AttackSpec, run_attack
from bench.benchmarks.attack import Attack
from bench.benchmarks.cam_audit import CamAudit
from bench.benchmarks.faithfulness import Faithfulness
from bench.errors import ConfigurationError
from bench.explain import attribute
from bench.library.presets import names_of
from bench.models import ModelConfig, check_model, has_gradient, load_classifier
from bench.models.fast import prepare_fast
from bench.models.source import model_sources


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    return CASES[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def classifier(case):
    return load_classifier(case.config)


def shown(classifier, images):
    return torch.stack([torch.from_numpy(classifier.crop(image)) for image in images]).float() / 255


def test_every_built_in_source_has_a_case_and_a_yaml():
    built_in = {"timm", "torchvision", "hf", "openclip", "robustbench", "python", "onnx", "export"}
    assert built_in <= model_sources().keys()
    assert built_in - {name.partition("-")[0] for name in CASES} == {"robustbench"}, "which has a test of its own"
    assert built_in <= set(names_of("model"))


def test_what_is_known_before_the_weights_is_what_is_loaded(case, classifier):
    outline = check_model(case.config)
    assert (outline.crop, outline.label_space) == (classifier.crop, classifier.label_space)
    assert outline.has_gradient == has_gradient(classifier) == case.has_gradient
    assert classifier.label_space.class_names[: len(case.class_names)] == case.class_names


def test_logits_are_those_of_its_own_library_on_real_images(case, classifier):
    images = photographs(4)
    with torch.no_grad():
        logits = classifier(shown(classifier, images))
    expected = case.classify(images)
    spread = float(expected.std(dim=0).mean())
    assert float((logits - expected).abs().max()) < 1e-4 * max(1.0, spread)
    assert spread > 1e-3, "images that a network cannot tell apart would show nothing"


def test_the_digest_is_stable_and_tells_preprocessings_apart(case, classifier):
    assert load_classifier(case.config).weights_digest == classifier.weights_digest
    other = load_classifier(replace(case.config, std=[0.21, 0.22, 0.23]))
    assert other.weights_digest != classifier.weights_digest
    cropped = load_classifier(replace(case.config, crop_pct=0.77, interpolation="nearest"))
    assert cropped.crop.key != classifier.crop.key
    assert cropped.crop.key.endswith("-0.77-nearest")


def test_the_fast_path_and_the_costs(classifier):
    images = shown(classifier, photographs(4))
    with torch.no_grad():
        torch.testing.assert_close(prepare_fast(classifier)(images), classifier(images), rtol=1e-3, atol=1e-4)
    cost = classifier.cost()
    assert cost["parameters"] > 100
    assert math.isfinite(cost["gmacs"])
    assert cost["gmacs"] > 0


def test_low_precision_or_a_refusal(case, classifier):
    low = replace(case.config, precision="bfloat16")
    if case.config.name.startswith(("onnx:", "export:")):  # what runs is in the file, its precision too
        with pytest.raises(ConfigurationError, match=r"takes no model\.precision: leave it out"):
            check_model(low)
        return
    images = shown(classifier, photographs(4))
    with torch.no_grad():
        expected, got = classifier(images), load_classifier(low)(images)
    assert got.dtype == torch.float32
    assert not torch.equal(got, expected)
    assert (got - expected).abs().max() < 0.1 * (expected.max() - expected.min())


def test_gradients_and_grad_cam_or_a_refusal_that_names_what_works(case, classifier):
    images = shown(classifier, photographs(2))
    labels = classifier(images).argmax(dim=1)
    spec = AttackSpec("fgsm")
    if case.has_gradient:
        result = run_attack(classifier, images, labels, spec, 8 / 255, seeds=[0, 1])
        assert (result.adversarials != images).any()
        assert attribute(classifier, images, labels, "grad_cam").shape == (2, *classifier.input_size)
        return
    with pytest.raises(ConfigurationError, match=r"'fgsm' follows the gradient, and .* has none.* in linf: .*square"):
        run_attack(classifier, images, labels, spec, 8 / 255, seeds=[0, 1])
    with pytest.raises(ConfigurationError, match=r"grad_cam follows the gradient.*; occlusion works"):
        attribute(classifier, images, labels, "grad_cam")
    with pytest.raises(ConfigurationError, match="has no gradient: it runs forward passes alone"):
        classifier(images.requires_grad_())
    square = AttackSpec("square", {"queries": 5})
    assert run_attack(classifier, images.detach(), labels, square, 8 / 255, seeds=[0, 1]).queries.max() > 1
    assert attribute(classifier, images.detach(), labels, "occlusion").abs().sum() > 0


def test_benchmarks_that_need_a_gradient_are_refused_before_any_work(tmp_path):
    case = CASES["export"](tmp_path)
    classifier = load_classifier(case.config)
    crops = np.stack([classifier.crop(image) for image in photographs(2)])
    labels = [0, 1]
    settings = {"epsilons": ("8/255",), "options": {}, "norm": None, "restarts": 1, "target": ""}
    for benchmark in (
        Attack(attack="pgd_linf", **settings),
        CamAudit(),
        Faithfulness(method="occlusion", other="occlusion"),
    ):
        with pytest.raises(ConfigurationError, match=r"runs forward passes alone|no weights that could be randomised"):
            bench.evaluate(classifier, (crops, labels), benchmarks=[benchmark], store=str(tmp_path / "store"))
    assert not (tmp_path / "store").exists() or not any((tmp_path / "store").rglob("*.parquet"))


def test_several_sources_share_a_store_a_page_and_a_second_run(tmp_path, caplog):
    classifiers = []
    for name in ("hf-vit", "openclip", "python", "onnx", "export"):
        (tmp_path / name).mkdir()
        classifiers.append(load_classifier(CASES[name](tmp_path / name).config))
    crops = np.stack([classifiers[0].crop(image) for image in photographs(6)])
    images = (crops, [0, 1, 2, 0, 1, 2])
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("INFO"):
            results = bench.evaluate(
                classifiers, images, benchmarks="clean", store=str(tmp_path / "store"), device="cpu"
            )
    assert caplog.text.count("1 cells, 1 already in") == len(classifiers)
    board = results.leaderboard()
    assert len(board) == len(classifiers)


@pytest.fixture(scope="module")
def lite0_everywhere(tmp_path_factory):
    """lite0's packaged weights through four sources; normalisation is inside the files."""
    folder = tmp_path_factory.mktemp("lite0")
    lite0 = load_classifier(ModelConfig(name="lite0"))
    to_onnx(lite0, folder / "lite0.onnx", 224)
    to_program(lite0, folder / "lite0.pt2", 224)
    (folder / "lite0.py").write_text(
        "from bench.models import ModelConfig, load_classifier\n"
        "def build():\n    return load_classifier(ModelConfig(name='lite0')).network\n"
    )
    own = {"interpolation": "bicubic", "label_space": "imagenet"}
    return lite0, [
        load_classifier(ModelConfig(name=f"python:{folder / 'lite0.py'}:build")),
        load_classifier(ModelConfig(name=f"onnx:{folder / 'lite0.onnx'}", **own)),
        load_classifier(ModelConfig(name=f"export:{folder / 'lite0.pt2'}", **own)),
    ]


def test_lite0_predicts_the_same_through_timm_python_onnx_and_export(lite0_everywhere):
    lite0, others = lite0_everywhere
    images = photographs(20)
    with torch.no_grad():
        expected = lite0(shown(lite0, images))
        for other in others:
            assert other.crop == lite0.crop
            logits = other(shown(other, images))
            assert torch.equal(logits.argmax(dim=1), expected.argmax(dim=1)), other.name
            torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    assert others[1].cost()["gmacs"] == pytest.approx(lite0.cost()["gmacs"], rel=1e-6)
    assert others[2].cost() == pytest.approx(lite0.cost(), rel=1e-6)


def test_a_robustbench_model_from_a_local_checkpoint(tmp_path):
    if importlib.util.find_spec("robustbench") is None:
        assert "pip install --no-deps robustbench" in _refusal(ModelConfig(name="robustbench:Salman2020Do_R18"))
        pytest.skip("RobustBench is not installed: docs/models.md says how")
    assert "did you mean 'Salman2020Do_R50'" in _refusal(ModelConfig(name="robustbench:Salman2020Do_R51"))
    from robustbench.model_zoo import model_dicts
    from robustbench.model_zoo.enums import BenchmarkDataset, ThreatModel

    network = model_dicts[BenchmarkDataset.imagenet][ThreatModel.Linf]["Salman2020Do_R18"]["model"]().eval()
    state = {f"module.{key.removeprefix('model.')}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "local.pt")
    classifier = load_classifier(
        ModelConfig(name="robustbench:Salman2020Do_R18", checkpoint=str(tmp_path / "local.pt"))
    )
    images = shown(classifier, photographs(2))
    assert classifier.crop.key == "224x224-center-0.875-bilinear"
    assert torch.equal(classifier(images), network(images))


def _refusal(config):
    with pytest.raises(ConfigurationError) as caught:
        check_model(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "torchvison:resnet18"}, "unknown model source 'torchvison' .* did you mean 'torchvision'"),
        ({"source": "torchvison"}, "unknown model.source=torchvison: did you mean 'torchvision'"),
        ({"name": "torchvision:resnet5"}, "torchvision has no classifier 'resnet5': did you mean 'resnet50'"),
        ({"name": "torchvision:resnet50/IMAGENET1K_V3"}, "no weights 'IMAGENET1K_V3': did you mean 'IMAGENET1K_V"),
        ({"name": "mobilenet_v2"}, "timm has no model 'mobilenet_v2', and torchvision has: .*torchvision:mobilenet_v2"),
        ({"name": "hf:/no/such/folder"}, "there is no such folder"),
        ({"name": "openclip:ViT-B-23/x"}, "open_clip has no model 'ViT-B-23': did you mean 'ViT-B-32'"),
        ({"name": "openclip:ViT-B-32"}, "openclip:ViT-B-32 needs weights, openclip:ViT-B-32/TAG"),
        ({"name": "openclip:ViT-B-32/laion2b"}, "has no weights 'laion2b'"),
        ({"name": "openclip:RN50", "options": {"names": []}}, r"no model.options.names: .*'class_names'"),
        ({"name": "python:no_such_module:f"}, "the module no_such_module cannot be imported"),
        ({"name": "python:build"}, "give python:MODULE:FUNCTION"),
        ({"name": "onnx:/no/such.onnx"}, "there is no file /no/such.onnx"),
        ({"name": "onnx:/no/such.onnx", "checkpoint": __file__ + ".pth"}, "no checkpoint at"),
        ({"name": "export:/no/such.pt2", "options": {"a": 1}}, "model source export takes no model.options"),
        ({"name": "hf:a/b", "num_classes": 3}, "model source hf takes no model.num_classes"),
        (
            {"name": "lite0", "mean": [124, 116, 104]},
            r"units of \[0,1\], not of 0 to 255: give \[0.4863,0.4549,0.4078\]",
        ),
        ({"name": "lite0", "std": [0.2, 0.2]}, r"model.std=.* three numbers"),
        ({"name": "lite0", "std": [0.2, 0.2, 0]}, "every value is above 0"),
        ({"name": "lite0", "crop_pct": 1.5}, "model.crop_pct is above 0 and at most 1"),
        ({"name": "lite0", "interpolation": "bicubik"}, "did you mean 'bicubic'"),
        ({"name": "lite0", "input_size": "large"}, "model.input_size=large: give a side in pixels"),
        ({"name": "vit_tiny_patch16_224", "weights": "random", "input_size": 160}, "does not take images of 160 x 160"),
    ],
)
def test_what_cannot_exist_is_refused_in_one_line(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        check_model(ModelConfig(**changes))


def test_a_package_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    import sys

    for package, name, extra in (
        ("transformers", "hf:a/b", "hf"),
        ("open_clip", "openclip:RN50/openai", "openclip"),
        ("onnxruntime", "onnx:m.onnx", "onnx"),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        assert f"pip install 'snowwolf[{extra}]'" in _refusal(ModelConfig(name=name))


def test_functions_are_called_with_options_and_their_answers_checked(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    where = f"python:{tmp_path / 'mine.py'}"
    assert "no function 'biuld'; did you mean 'build'" in _refusal(ModelConfig(name=f"{where}:biuld"))
    assert "missing a required argument: 'width'" in _refusal(ModelConfig(name=f"{where}:build", input_size=64))
    assert "returns a int, not a torch.nn.Module" in _refusal(ModelConfig(name=f"{where}:number"))
    build = ModelConfig(name=f"{where}:build", options={"width": 8})
    assert "give model.input_size=PIXELS" in _refusal(build)
    answers = load_classifier(ModelConfig(name=f"{where}:in_a_dict", input_size=64))
    assert answers(torch.rand(2, 3, 64, 64)).shape == (2, 3), "the logits of the dict"
    sized = replace(build, input_size=64)
    before = load_classifier(sized).weights_digest
    (tmp_path / "mine.py").write_text(CODE.replace("nn.ReLU()", "nn.GELU()"))
    assert load_classifier(sized).weights_digest != before, "other code with the same weights is another classifier"


def test_a_heads_cache_is_used_and_a_saved_head_gives_the_same(tmp_path, monkeypatch):
    import open_clip
    from safetensors.torch import save_file

    config = CASES["openclip"](tmp_path).config
    made = load_classifier(config)
    monkeypatch.setattr(open_clip, "build_zero_shot_classifier", lambda *_, **__: pytest.fail("made twice"))
    assert load_classifier(config).weights_digest == made.weights_digest
    save_file({"head": made.network.head.contiguous()}, tmp_path / "head.safetensors")
    options = {"head": str(tmp_path / "head.safetensors"), "class_names": list(NAMES.values())}
    saved = load_classifier(replace(config, options=options))
    assert saved.weights_digest == made.weights_digest
    save_file({"head": torch.zeros(5, 3)}, tmp_path / "head.safetensors")
    assert r"a head is one matrix of shape (24, classes)" in _refusal(replace(config, options=options))
    assert "needs one {}" in _refusal(replace(config, options={"templates": ["a photo"]}))


def test_the_published_prompts_are_eighty_templates_of_a_thousand_names():
    from bench.models.sources.zero_shot import read_prompts

    prompts = read_prompts({}, "")
    assert (len(prompts.templates), len(prompts.class_names)) == (80, 1000)
    assert prompts.templates[0] == "a bad photo of a {}."  # OpenAI's notebook, Prompt_Engineering_for_ImageNet
    assert prompts.class_names[:2] == ("tench", "goldfish")

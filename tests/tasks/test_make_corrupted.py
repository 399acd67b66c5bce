"""``task=make_corrupted`` writes the layout that ``source=files`` reads."""

import hydra
import pytest
import torch
from PIL import Image
from torchvision import transforms

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.protocol import IMAGENET_C_CROP
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.data import DataConfig, load_dataset, open_crops
from bench.errors import ConfigurationError
from bench.models import ModelConfig, load_classifier
from bench.records import Condition
from bench.tasks import make_corrupted


def compose(*overrides):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=["task=make_corrupted", *overrides])


def test_what_is_written_is_what_the_benchmark_shows_up_to_jpeg(tmp_path):
    config = compose(
        f"out={tmp_path}/out",
        f"runtime.cache_dir={tmp_path}/cache",
        "data.limit=3",
        "benchmark=corruption",
        "benchmark.corruptions=[contrast,snow]",
        "benchmark.severities=[1,4]",
    )
    make_corrupted.check(config)
    make_corrupted.run(config)
    written = sorted((tmp_path / "out").rglob("*.JPEG"))
    assert len(written) == 2 * 2 * 3
    assert {path.relative_to(tmp_path / "out").parts[:2] for path in written} == {
        ("contrast", "1"),
        ("contrast", "4"),
        ("snow", "1"),
        ("snow", "4"),
    }
    assert all(Image.open(path).size == (224, 224) for path in written)
    tables = Image.open(written[0]).quantization
    Image.new("RGB", (8, 8)).save(tmp_path / "reference.jpg", quality=85)
    assert tables == Image.open(tmp_path / "reference.jpg").quantization
    Corruption(corruptions=("contrast", "snow"), severities=(1, 4), source="files", root=str(tmp_path / "out")).check()
    before = {path: path.stat().st_mtime_ns for path in written}
    written[0].unlink()
    make_corrupted.run(config)
    assert written[0].exists()
    assert all(path.stat().st_mtime_ns == before[path] for path in written[1:]), "resumed, not rewritten"


def test_mistakes_are_refused():
    with pytest.raises(ConfigurationError, match="out=FOLDER"):
        make_corrupted.check(compose())
    with pytest.raises(ConfigurationError, match="made on the fly"):
        make_corrupted.check(compose("benchmark=pgd", "out=x"))


def test_the_published_crop_is_resize_256_and_centre_224():
    from importlib.resources import files

    path = next(path for path in (files("foolbox") / "data").iterdir() if path.name.startswith("imagenet_03"))
    image = Image.open(str(path)).convert("RGB")
    published = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])
    assert torch.equal(torch.from_numpy(IMAGENET_C_CROP(image)), published(image))


def test_files_give_the_predictions_of_evaluating_the_jpegs_by_hand(tmp_path):
    config = compose(
        f"out={tmp_path}/out",
        f"runtime.cache_dir={tmp_path}/cache",
        "data.limit=4",
        "benchmark=corruption",
        "benchmark.corruptions=[motion_blur]",
        "benchmark.severities=[3]",
    )
    make_corrupted.run(config)
    classifier = load_classifier(ModelConfig(name="lite0"))
    condition = Condition("motion_blur", 3.0)
    dataset = load_dataset(DataConfig(name="samples", source="samples", limit=4))
    crops = open_crops(dataset, classifier.crop, cache_dir=tmp_path / "cache", cache_gb=1, workers=0, on_error="refuse")
    benchmark = Corruption(corruptions=("motion_blur",), severities=(3,), source="files", root=str(tmp_path / "out"))
    shown = benchmark.read(crops, range(4), condition, seed=0).images
    outcomes = benchmark.run(
        classifier,
        Batch(shown, torch.as_tensor(crops.labels), crops.image_ids, condition=condition),
        condition,
        seed=0,
    )

    by_hand = transforms.Compose([transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    for image_id, prediction, confidence in zip(
        outcomes.image_id, outcomes.prediction, outcomes.confidence, strict=True
    ):
        path = (tmp_path / "out" / "motion_blur" / "3" / str(image_id)).with_suffix(".JPEG")
        with torch.no_grad():
            probabilities = classifier.network(by_hand(Image.open(path))[None]).softmax(dim=1)[0]
        assert int(probabilities.argmax()) == prediction
        assert float(probabilities.max()) == pytest.approx(float(confidence), abs=1e-5)

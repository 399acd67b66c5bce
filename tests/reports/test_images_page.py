"""The images page: pictures are what the classifiers saw, answers are those of the store, names are only text."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import bench
from bench.benchmarks.clean import Clean
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.corruption_bar import CorruptionBar
from bench.benchmarks.cue_conflict import CueConflict
from bench.benchmarks.parametric import Parametric
from bench.benchmarks.registry import all_benchmarks
from bench.benchmarks.reliance import Reliance
from bench.configs import DataConfig, RuntimeConfig
from bench.data.crop import CropRecipe
from bench.errors import DataError
from bench.reports import write_report
from bench.reports.entries import read_entries
from bench.reports.images.choose import choose_images
from bench.reports.images.recreate import open_shown, shown_images
from bench.reports.images.write import write_images
from bench.results import Store
from bench.sweep.evaluate import Subject, run_suites
from bench.sweep.job import open_suite
from tests.reports.browser import BROWSER, open_page

SAMPLES = DataConfig(name="samples", source="samples", limit=6)
CUES = DataConfig(source="cue_conflict_samples", limit=5)
SUITE = {
    "clean": (Clean(), SAMPLES),
    "corruption": (Corruption(corruptions=("fog", "glass_blur"), severities=(1, 4)), SAMPLES),
    "corruption_bar": (CorruptionBar(corruptions=("blue_noise_sample",)), SAMPLES),
    "parametric": (Parametric(contrast=(0.3,)), SAMPLES),
    "reliance": (Reliance(), SAMPLES),
    "cue_conflict": (CueConflict(), CUES),
}


SEEN = set()


class Watcher(nn.Module):
    """Keeps every image that it was shown in ``SEEN``, since the sweep runs a copy; answers by colour."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, pixels):
        for image in (pixels * 255).round().to(torch.uint8):
            SEEN.add(image.numpy().tobytes())
        logits = torch.zeros(len(pixels), 1000)
        logits[:, :3] = 20 * self.weight * pixels.mean((2, 3))
        logits[:, 248] = 12.0
        return logits


def swept(root, suite, cache, **networks):
    store, runtime = Store(str(root)), RuntimeConfig(device="cpu", workers=0, cache_dir=str(cache), keep_memory=False)
    subjects = []
    for name, network in networks.items():
        classifier = bench.make_classifier(network, name=name, input_size=224)
        subjects.append(Subject(classifier, open_suite(suite, classifier, runtime)))
    SEEN.clear()  # of what the number of classes was found with
    done = run_suites(subjects, store, runtime=runtime, seed=3)
    assert not any(run.n_missing or run.error for run in done.values()), done
    return store, runtime


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("crops")


def test_every_picture_is_an_image_that_the_classifier_saw(tmp_path, cache):
    store, runtime = swept(tmp_path / "store", SUITE, cache, watcher=Watcher())
    pictures = set()
    for cell in store.cells():
        benchmark, crops = open_shown(cell.spec, SUITE, runtime)
        assert benchmark.pictured
        for picture in shown_images(benchmark, crops, range(len(crops)), cell.spec.condition, seed=3):
            pictures.add(picture.numpy().tobytes())
    assert len(SEEN) > 100
    black = bytes(3 * 224 * 224)  # what the cost of a pass is measured on
    assert pictures == SEEN - {black}


def test_benchmarks_that_change_images_in_their_run_are_not_pictured():
    pictured = {declared.name for declared in all_benchmarks() if declared.pictured}
    assert {"clean", "corruption", "corruption_bar", "parametric", "reliance", "cue_conflict"} <= pictured
    assert not pictured & {"attack", "noise", "stability", "shift_consistency", "transfer", "shortcut", "cam_audit"}


def test_other_settings_or_images_are_not_those_of_the_store(tmp_path, cache):
    suite = {"clean": SUITE["clean"], "corruption": SUITE["corruption"]}
    store, runtime = swept(tmp_path / "store", suite, cache, watcher=Watcher())
    spec = next(cell.spec for cell in store.cells() if cell.spec.benchmark == "corruption")
    benchmark, data = suite["corruption"]
    for other, words in (
        ({}, "has no entry corruption"),
        ({"corruption": (replace(benchmark, definition="imagecorruptions"), data)}, "run with other settings"),
        ({"corruption": (benchmark, replace(data, limit=5))}, "are not those of samples in the store"),
        ({"corruption": (benchmark, DataConfig(root=str(tmp_path / "nowhere")))}, "cannot be read"),
    ):
        with pytest.raises(DataError, match=words):
            open_shown(spec, other, runtime)
    assert write_images(store, tmp_path / "report", {}, runtime, 5) is None
    assert not (tmp_path / "report" / "images.html").exists()


def page_sets(page):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    return json.loads(text)


@pytest.fixture(scope="module")
def report(tmp_path_factory, cache):
    root = tmp_path_factory.mktemp("report")
    suite = {name: SUITE[name] for name in ("clean", "corruption", "cue_conflict")}
    store, runtime = swept(root / "store", suite, cache, one=Watcher(), two=Watcher(0.2))
    page = write_images(store, root / "reports" / "default", suite, runtime, 4)
    write_report(store, root / "reports" / "default")
    return store, page


def test_the_page_says_what_the_store_says(report):
    store, page = report
    main = next(one for one in page_sets(page) if one["title"] == "samples")
    assert main["rows"] == ["one", "two"]
    assert (len(main["images"]), main["n_images"]) == (4, 6)
    assert [condition["words"] for condition in main["conditions"]] == [
        "the clean images", "glass blur severity 1", "glass blur severity 4", "fog severity 1", "fog severity 4"
    ]  # fmt: skip
    answered = 0
    for entry in read_entries(store):
        row = main["rows"].index(entry.label)
        for key in ("clean", "corruption"):
            for condition in entry.conditions(key):
                outcomes = entry.outcomes(key, condition).set_index("image_id")
                words = entry.benchmarks[key].describe(condition).replace("_", " ")
                place = next(i for i, it in enumerate(main["conditions"]) if it["words"] == words)
                for image, answer in zip(main["images"], main["answers"][row][place], strict=True):
                    own = outcomes.loc[image["id"]]
                    right = int(own["prediction"] == own["label"])
                    assert answer == [own["prediction"], round(1000 * float(own["confidence"])), right]
                    assert image["label"] == own["label"]
                    answered += 1
    assert answered == 2 * 5 * 4


def test_pictures_lie_beside_the_page_under_numbers(report):
    _, page = report
    main = page_sets(page)[0]
    files = sorted((page.parent / "images" / "0").iterdir())
    strips = {condition["strip"] for condition in main["conditions"]}
    assert {file.name for file in files} == {f"{i}-{strip}.jpg" for i in range(len(main["images"])) for strip in strips}
    widths = {condition["strip"]: 0 for condition in main["conditions"]}
    for condition in main["conditions"]:
        widths[condition["strip"]] += 176
    with Image.open(page.parent / "images" / "0" / "0-1.jpg") as strip:
        assert strip.size == (widths[1], 176)


def test_the_leaderboard_links_to_the_images(report):
    _, page = report
    assert '<a href="images.html">Images</a>' in (page.parent / "leaderboard.html").read_text()


def test_a_new_report_without_pictures_drops_the_old_ones(tmp_path, cache):
    suite = {"clean": SUITE["clean"]}
    store, runtime = swept(tmp_path / "store", suite, cache, one=Watcher())
    out = tmp_path / "report"
    assert write_images(store, out, suite, runtime, 2) == out / "images.html"
    assert write_images(store, out, {}, runtime, 2) is None
    assert not (out / "images.html").exists()
    assert not (out / "images").exists()


def test_images_on_which_classifiers_differ_come_first(tmp_path, make_spec, provenance):
    labels, ids = np.zeros(6, dtype=np.int64), np.array([f"image_{i}" for i in range(6)])
    right = {"one": [1, 1, 0, 0, 1, 1], "two": [1, 0, 0, 1, 1, 1], "three": [1, 1, 0, 0, 1, 0]}
    store = Store(str(tmp_path))
    for name, hits in right.items():
        outcomes = bench_outcomes(ids, labels, np.array(hits))
        store.write_part(make_spec(classifier=name, weights_digest=name, n_images=6), outcomes, 0, provenance)
    entries = read_entries(store)
    (condition,) = entries[0].conditions("clean")
    assert choose_images(entries, [("clean", condition)], 6, 3) == [1, 3, 5]
    assert choose_images(entries, [("clean", condition)], 6, 99) == [0, 1, 2, 3, 4, 5]


def bench_outcomes(ids, labels, right):
    from bench.records import Outcomes

    return Outcomes(ids, labels, np.where(right, labels, labels + 1), np.full(len(ids), 0.5, np.float32))


@pytest.mark.parametrize(
    "recipe",
    [
        CropRecipe(224, 224, 0.875, "center", "bicubic"),
        CropRecipe(32, 48, 1.0, "center_down", "bilinear"),
        CropRecipe(299, 299, 1.0, "border", "bicubic", (128, 127, 0)),
        CropRecipe(256, 256, 0.96, "squash", "bicubic", border=3),
        CropRecipe.exact(8),
    ],
)
def test_a_crop_is_read_back_from_its_key(recipe):
    assert CropRecipe.from_key(recipe.key) == recipe


@pytest.mark.parametrize("key", ["", "toy", "224x224", "224x224-center-0.8750-bicubic", "../../etc", "0x-1-center-1-a"])
def test_what_is_no_key_of_a_crop_is_refused(key):
    with pytest.raises(DataError, match="is not the key of a crop"):
        CropRecipe.from_key(key)


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
class TestInTheBrowser:
    """The page as people see it."""

    def dom(self, page, tmp_path, script="", place=""):
        copy = page.parent / "driven.html"
        copy.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
        try:
            elements, log = open_page(copy, tmp_path / "profile", milliseconds=4000, size="1400,900", fragment=place)
        finally:
            copy.unlink()
        assert not re.findall(r"CONSOLE.*", log), log
        return elements

    def choose(self, **values):
        lines = [
            f'document.getElementById("{name}").value = {json.dumps(value)};'
            f'document.getElementById("{name}").dispatchEvent(new Event("change"));'
            for name, value in values.items()
        ]
        return "".join(lines)

    def test_the_grid_has_a_card_for_each_image(self, report, tmp_path):
        elements = self.dom(report[1], tmp_path)
        assert elements.count('class="card"') == 4
        assert len(re.findall(r'<img[^>]*src="images/0/\d-1.jpg"', elements)) == 4
        assert "4 of 4 images, chosen because the classifiers differ on them, of 6" in elements

    def test_one_image_has_a_picture_for_each_condition(self, report, tmp_path):
        elements = self.dom(report[1], tmp_path, place="#/0/2")
        assert elements.count("<figcaption>") == 5
        assert 'id="grid" aria-label="Images" hidden' in elements

    def test_a_filter_leaves_the_images_that_it_says(self, report, tmp_path):
        main = page_sets(report[1])[0]
        differ = [i for i in range(4) if len({main["answers"][row][0][i][0] for row in range(2)}) > 1]
        elements = self.dom(report[1], tmp_path, self.choose(condition="0", filter="disagree"))
        assert re.findall(r'href="#/0/(\d)" class="card"', elements) == [str(i) for i in differ]

    def test_the_other_set_of_images(self, report, tmp_path):
        elements = self.dom(report[1], tmp_path, place="#/1")
        assert "images/1/" in elements

    def test_names_from_outside_are_text(self, report, tmp_path):
        page = report[1]
        hostile = page.parent / "hostile.html"
        sets = page_sets(page)
        sets[0]["rows"][0] = sets[0]["images"][0]["id"] = "<img src=x onerror=alert(1)></script>"
        text = json.dumps(sets).replace("<", "\\u003c")
        page_text = re.sub(
            r'(id="data">).*?(</script>)', lambda m: m[1] + text + m[2], page.read_text(), flags=re.DOTALL
        )
        hostile.write_text(page_text)
        elements = self.dom(hostile, tmp_path)
        hostile.unlink()
        assert "onerror=alert(1)&gt;" in elements
        assert '<img src="x"' not in elements

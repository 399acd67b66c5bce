"""Published weights and checkpoints are checked before any work: what was looked for, and where, in one line."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import timm
import torch
from safetensors.torch import save_file

from bench.errors import ConfigurationError
from bench.models import ModelConfig, check_model, checkpoints, hub, load_classifier
from bench.models.hub import check_published

WEIGHTS = "timm/resnet18.a1_in1k"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, as ``HF_HOME`` would set it."""
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "hub"


def set_hub(monkeypatch, address):
    """As ``HF_ENDPOINT`` would."""
    monkeypatch.setattr(hub.constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def answers(cache, monkeypatch):
    """A hub on this machine: the status of each path asked for; 404 for all others. ``asked`` lists the questions."""
    found, asked = {}, []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            status, code = found.get(self.path, (404, "EntryNotFound"))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("ETag", '"abc"')
            self.send_header("X-Repo-Commit", "0" * 40)
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    set_hub(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield found, asked
    server.shutdown()
    server.server_close()


def put_in_cache(cache, repository, file):
    snapshot = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / file).touch()
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)


def test_weights_in_the_cache_are_asked_of_nobody(cache, answers):
    put_in_cache(cache, WEIGHTS, "pytorch_model.bin")
    check_published("resnet18")
    assert answers[1] == []


def test_weights_on_the_hub_need_one_question(answers):
    answers[0][f"/{WEIGHTS}/resolve/main/model.safetensors"] = (200, "")
    check_published("resnet18")
    assert answers[1] == [f"/{WEIGHTS}/resolve/main/model.safetensors"]


def test_weights_in_the_older_format_are_enough(answers):
    answers[0][f"/{WEIGHTS}/resolve/main/pytorch_model.bin"] = (200, "")
    check_published("resnet18.a1_in1k")
    assert len(answers[1]) == 2


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "EntryNotFound", "has no such file of it"),
        (404, "RepoNotFound", "has no such model"),
        (403, "GatedRepo", "needs a token that has been given access"),
        (404, "RevisionNotFound", "has no revision None of it"),
        (500, "", "does not answer .*500"),
    ],
)
def test_what_the_hub_says_is_passed_on_in_one_line(answers, status, code, message):
    for file in hub.WEIGHT_FILES:
        answers[0][f"/{WEIGHTS}/resolve/main/{file}"] = (status, code)
    with pytest.raises(ConfigurationError, match=message) as caught:
        check_published("resnet18")
    text = str(caught.value)
    assert text.startswith(
        f"model 'resnet18': {WEIGHTS} (model.safetensors or pytorch_model.bin) is not in the cache "
        f"{hub.constants.HF_HUB_CACHE}, and {hub.constants.ENDPOINT} "
    )
    assert text.endswith("give model.checkpoint=FILE or model.weights=random")
    assert "\n" not in text


def test_a_hub_that_refuses_connections_is_tried_twice(cache, monkeypatch):
    set_hub(monkeypatch, "http://127.0.0.1:9")
    tries = []
    ask = hub.get_hf_file_metadata
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *a, **k: tries.append(a) or ask(*a, **k))
    with pytest.raises(ConfigurationError, match=r"http://127.0.0.1:9 does not answer \(ConnectError: .*refused"):
        check_model(ModelConfig(name="resnet18"))
    assert len(tries) == 2


def test_a_hub_that_never_answers_is_given_up(cache, monkeypatch):
    silence = threading.Event()
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *_, **__: silence.wait())
    monkeypatch.setattr(hub, "SECONDS_IN_ALL", 0.01)
    with pytest.raises(ConfigurationError, match=r"does not answer \(TimeoutError: no answer in 0.01 s\)"):
        check_published("resnet18")
    silence.set()


def test_offline_nobody_is_asked(answers, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigurationError, match=r"is not in the cache .*, and HF_HUB_OFFLINE is set; give model\.check"
    ):
        check_published("resnet18")
    assert answers[1] == []


def test_models_of_the_hub_need_their_description_even_without_weights(answers):
    with pytest.raises(ConfigurationError, match=r"me/mine \(config.json\) is not in the cache .* no such file of it"):
        check_model(ModelConfig(name="hf-hub:me/mine@v2", weights="random"))
    assert answers[1] == ["/me/mine/resolve/v2/config.json"]


def test_weights_published_as_a_file_are_looked_for_there(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    where = ("http://127.0.0.1:9/some/where.pth", "renamed.pth")
    with pytest.raises(ConfigurationError, match=r"there is no .*checkpoints/renamed.pth, and http://127.0.0.1:9/some"):
        hub.check_url("mine", where)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "renamed.pth").touch()
    hub.check_url("mine", where)


def test_a_folder_without_a_description_is_no_model(tmp_path):
    with pytest.raises(ConfigurationError, match=r"there is no .*config.json, which describes the network"):
        check_model(ModelConfig(name=f"local-dir:{tmp_path}"))


def test_the_check_knows_classes_and_crop_without_any_weights(monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: pytest.fail("weights were read"))
    outline = check_model(ModelConfig(name="resnet18", weights="random", num_classes=7))
    assert outline.label_space.n_classes == 7
    assert outline.crop.key == load_classifier(ModelConfig(name="resnet18", weights="random")).crop.key


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_checkpoints_are_opened_and_compared_before_any_work(tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    save = torch.save if suffix == ".pth" else save_file
    save(timm.create_model("resnet18", num_classes=7).state_dict(), path)
    config = ModelConfig(name="resnet18", checkpoint=str(path), num_classes=7)
    assert check_model(config).label_space.n_classes == 7
    with pytest.raises(ConfigurationError, match=r"mine\.\w+ does not fit ResNet .*size mismatch for fc.weight"):
        check_model(ModelConfig(name="resnet18", checkpoint=str(path)))
    with pytest.raises(ConfigurationError, match=r"mine\.\w+ does not fit ResNet .*Missing key"):
        check_model(ModelConfig(name="resnet34", checkpoint=str(path), num_classes=7))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigurationError, match=r"checkpoint .*mine\.\w+ "):
        check_model(config)


def test_a_checkpoint_is_opened_once_for_all_jobs_of_a_sweep(tmp_path, monkeypatch):
    path = tmp_path / "mine.pth"
    torch.save(timm.create_model("resnet18").state_dict(), path)
    opened = []
    load = checkpoints.load_weights
    monkeypatch.setattr(checkpoints, "load_weights", lambda *a, **k: opened.append(a) or load(*a, **k))
    for precision in ("float32", "bfloat16"):
        check_model(ModelConfig(name="resnet18", checkpoint=str(path), precision=precision))
    assert len(opened) == 1

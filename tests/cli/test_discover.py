"""``snowwolf models 'convnext*'`` and its like, against timm and the yaml files themselves."""

import pytest
import timm

from bench.attacks import attack_names
from bench.cli.main import main
from bench.conf_files import CONF, choices


@pytest.fixture
def listed(capsys):
    def run(*words):
        assert main(words) == 0
        return capsys.readouterr().out.splitlines()

    return run


def test_a_pattern_lists_the_published_weights_that_timm_has(listed):
    lines = listed("models", "convnext_tiny*")
    assert [line.split()[0] for line in lines] == timm.list_models("convnext_tiny*", pretrained=True)
    [line] = [line for line in lines if line.startswith("convnext_tiny.fb_in1k ")]
    assert line.split() == ["convnext_tiny.fb_in1k", "224", "px,", "1,000", "classes", "apache-2.0"]
    assert max(map(len, lines)) <= 100


def test_a_pattern_lists_packaged_models_too(listed):
    assert [line.split()[0] for line in listed("models", "lite*")] == ["lite0", "lite1", "lite2"]


@pytest.mark.parametrize("what", ["benchmark", "suite", "defense", "task", "data"])
def test_each_choice_has_one_line(listed, what):
    lines = listed(what if what == "data" else f"{what}s")
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in (CONF / what).glob("*.yaml"))
    assert all(len(line.split()) > 1 for line in lines), "each says what it is"
    assert max(map(len, lines)) <= 100


def test_attacks_say_what_they_see_and_their_norms(listed):
    lines = listed("attacks")
    assert {line.split()[0] for line in lines} <= set(attack_names())
    [line] = listed("attacks", "pgd_linf")
    assert line.split() == ["pgd_linf", "sees", "gradient", "linf", "within", "epsilon"]


def test_the_summary_of_a_file_is_its_first_sentence():
    assert choices("benchmark")["bim"] == "Basic iterative method: PGD without the random start (Kurakin et al. 2017)"
    assert choices("suite")["cifar10_linf"].endswith("data.root=...")


def test_a_folder_of_ones_own_is_listed(tmp_path, listed):
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "mine.yaml").write_text("# @package _global_\n# What we run on Fridays. Slow.\n")
    assert listed("suites", "mine", "--config-dir", str(tmp_path)) == ["mine  What we run on Fridays"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["benchmarks", "pgb*"], "snowwolf benchmarks: no name matches 'pgb*'; did you mean 'pgd'"),
        (["models", "no_such_*"], "snowwolf models: no name matches 'no_such_*'"),
        (["suites", "a", "b"], "snowwolf suites takes one pattern, in quotes"),
        (["modles"], "'modles' is not a list of names, nor a setting KEY=VALUE: did you mean 'models'"),
        (["hydra.mode=MULTIRUN"], "hydra.mode is set by -m"),
        (["--cfg", "job", "modle=x"], "unknown key 'modle': did you mean 'model'"),
        (["--config-path", "x"], "--config-path would replace the project's configuration"),
        (["--experimental-rerun", "x"], "--experimental-rerun reads a pickle"),
        (["--modle", "x"], "unrecognized arguments: --modle"),
        (["--config-dir", "/no/such", "--help"], "--config-dir /no/such: no folder there"),
        (["--config-dir", "/no/such", "task=list"], "--config-dir /no/such: no folder there"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words, message, capsys):
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"snowwolf: {message}")

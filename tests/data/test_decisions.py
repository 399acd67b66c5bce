"""Published per-trial files: read as they are, and refused in words where they are not."""

import numpy as np
import pytest

from bench.data.decisions import read_decisions
from bench.errors import ConfigurationError, DataError

HEADER = "subj,session,trial,rt,object_response,category,condition,imagename"


@pytest.fixture
def write(tmp_path):
    def write(*rows, name="a.csv", header=HEADER):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


def test_sessions_and_files_of_one_decision_maker_are_joined(write, tmp_path):
    write("subject-01,1,1,1.2,cat,dog,0,0001_s5n_s01_0_dog_00_dog3-cat2.png", name="a.csv")
    write(
        "subject-01,2,1,0.9,na,cat,0,0001_s5n_s01_0_cat_00_cat3-dog2.png",
        "alexnet,1,1,NaN,oven,cat,0,0001_s5n_dnn_0_cat_00_cat3-dog2.png",
        name="b.csv",
    )
    alexnet, subject = read_decisions(tmp_path)
    assert {alexnet.experiment, subject.experiment} == {"cue_conflict"}
    assert (alexnet.name, alexnet.is_human, subject.name, subject.is_human) == ("alexnet", False, "subject-01", True)
    assert subject.image_ids.tolist() == ["cat/cat3-dog2.png", "dog/dog3-cat2.png"]
    assert subject.shape.tolist() == ["cat", "dog"]
    assert subject.texture.tolist() == ["dog", "cat"]
    assert subject.decision.tolist() == ["na", "cat"]
    assert subject.numbers.tolist() == [-1, 7]
    assert alexnet.digest != subject.digest


def test_experiments_without_cues_are_called_as_their_files(write, tmp_path):
    trial = "subject-01,1,1,0.6,cat,cat,0,0155_sif_s01_0_cat_00_cat2.png"
    write(trial, name="silhouette-filled-experiment_subject-01_session_1.csv")
    write("subject-01,1,1,0.6,na,dog,0,dog7.png", name="edge_subject-01_session-1.csv")
    edges, silhouettes = read_decisions(tmp_path)
    assert (edges.experiment, silhouettes.experiment) == ("edge", "silhouette-filled")
    assert (edges.image_ids.tolist(), silhouettes.image_ids.tolist()) == (["dog/dog7.png"], ["cat/cat2.png"])
    assert (edges.numbers.tolist(), silhouettes.numbers.tolist()) == ([-1], [7])


GOOD = "s,1,1,1,cat,dog,0,x_dog3-cat2.png"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([GOOD, GOOD], "a.csv, line 3: s has decided on dog/dog3-cat2.png already"),
        (["s,1,1,1,cat,cat,0,x_dog3-cat2.png"], "line 2: the category 'cat' is not the shape of 'x_dog3-cat2.png'"),
        (["s,1,1,1,kat,dog,0,x_dog3-cat2.png"], "line 2: the response 'kat' is neither.*did you mean 'cat'"),
        (["s,1,1,1,cat,dog,0,photo.png"], "line 2: 'photo.png' is not the name of a cue-conflict image"),
        (["s,1,1,1,cat,kat,0,0001_sif_s01_0_kat_00_kat3.png"], "line 2: .*kat3.png' names 'kat': did you mean 'cat'"),
        (["s,1,1"], "line 2: not 8 fields"),
        ([GOOD + ",more"], "line 2: not 8 fields"),
        ([], "holds no trials"),
    ],
)
def test_malformed_trials_are_refused_with_their_line(write, rows, message):
    with pytest.raises(DataError, match=message):
        read_decisions(write(*rows))


def test_another_format_is_refused_by_its_missing_column(write):
    with pytest.raises(DataError, match="no column 'subj'"):
        read_decisions(write(header="observer,answer"))


def test_binary_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"subj\xff\xfe")
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        read_decisions(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no CSV file of decisions"):
        read_decisions(tmp_path)


@pytest.mark.shared_data
def test_the_published_decision_makers_saw_the_same_1280_images(shared_data):
    makers = read_decisions(shared_data / "decisions")
    assert [maker.name for maker in makers] == ["alexnet", "subject-01", "subject-02"]
    for maker in makers:
        assert len(maker.image_ids) == 1280
        assert np.array_equal(maker.image_ids, makers[0].image_ids)
        assert (maker.shape == maker.texture).sum() == 80
    folder = shared_data / "cue_conflict"
    ours = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert ours <= set(makers[0].image_ids.tolist()), "the imported names are those of the image folders"

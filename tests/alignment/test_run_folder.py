from __future__ import annotations

import json

import pytest

from hiersearch.alignment.trainer import RunFolder
from hiersearch.errors import HiersearchError, UsageError

TOLD = {"steps": 10, "seed": 0}


def checkpoint(folder, step, *, whole=True):
    path = folder.path / f"checkpoint-{step}"
    path.mkdir()
    if whole:
        (path / "trainer_state.json").write_text("{}")
    return path


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "out")


def test_a_new_run_begins_at_the_start(folder):
    assert folder.begin(TOLD) is None
    assert folder.losses() == []


def test_it_goes_on_from_the_newest_checkpoint_that_is_whole(folder):
    folder.begin(TOLD)
    checkpoint(folder, 9)
    newest = checkpoint(folder, 10)
    checkpoint(folder, 11, whole=False)

    assert folder.begin(TOLD) == newest


def test_losses_after_the_checkpoint_are_forgotten(folder):
    folder.begin(TOLD)
    for step in range(1, 5):
        folder.note_losses(step, {"loss": step / 2})
    checkpoint(folder, 2)

    folder.begin(TOLD)

    assert folder.losses() == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}]


def test_a_line_that_was_cut_off_is_left_out(folder):
    folder.begin(TOLD)
    folder.note_losses(1, {"loss": 0.5})
    with (folder.path / "losses.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')

    assert folder.losses() == [{"step": 1, "loss": 0.5}]


def test_a_run_that_was_told_otherwise(folder):
    folder.begin(TOLD)

    with pytest.raises(UsageError, match=r"with another seed"):
        folder.begin(TOLD | {"seed": 1})


def test_settings_that_were_damaged(folder):
    folder.begin(TOLD)
    (folder.path / "settings.json").write_text("{")

    with pytest.raises(UsageError, match=r"settings\.json cannot be read"):
        folder.begin(TOLD)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(UsageError, match="already exists"):
        RunFolder(tmp_path).begin(TOLD)

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_empty_folder_is_taken(tmp_path):
    assert RunFolder(tmp_path).begin(TOLD) is None


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "out").write_text("")

    with pytest.raises(UsageError, match="already exists"):
        RunFolder(tmp_path / "out").begin(TOLD)


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(HiersearchError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "out").begin(TOLD)


def test_an_end_leaves_nothing(folder):
    folder.begin(TOLD)
    assert json.loads((folder.path / "settings.json").read_text()) == TOLD

    folder.end()

    assert list(folder.output.iterdir()) == []


def finished(folder):
    folder.begin(TOLD)
    checkpoint(folder, 2)
    folder.finish(lambda to: (to / "training.json").write_text("{}"))


def test_a_model_whose_training_is_done_is_not_replaced(folder):
    finished(folder)

    with pytest.raises(UsageError, match="whose training is done"):
        folder.begin(TOLD)
    assert [path.name for path in folder.output.iterdir()] == ["training.json"]


def test_what_a_kill_leaves_of_a_finished_run_is_removed(folder, monkeypatch):
    def kill(path, **_):
        if path == folder.path:
            raise KeyboardInterrupt

    monkeypatch.setattr("hiersearch.alignment.trainer.shutil.rmtree", kill)
    with pytest.raises(KeyboardInterrupt):
        finished(folder)
    monkeypatch.undo()
    assert folder.path.is_dir()

    with pytest.raises(UsageError, match="whose training is done"):
        folder.begin(TOLD)
    assert [path.name for path in folder.output.iterdir()] == ["training.json"]


def test_a_folder_of_somebody_else_inside_a_trained_model_stays(folder):
    finished(folder)
    folder.path.mkdir()
    (folder.path / "notes.txt").write_text("mine")

    with pytest.raises(UsageError, match="whose training is done"):
        folder.begin(TOLD)
    assert (folder.path / "notes.txt").read_text() == "mine"

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hiersearch.cli.main import app
from hiersearch.data import fetching
from hiersearch.errors import MissingDataError, PhotosNotFoundError, UsageError
from hiersearch.evaluation import benchmark
from hiersearch.files import DownloadError
from tests.evaluation.made_embedder import MadeEmbedder, drawn
from tests.evaluation.made_hierarcaps import make_hierarcaps
from tests.evaluation.made_hyperlex import make_hyperlex


@pytest.fixture(scope="module")
def data(tmp_path_factory, demo_photos) -> Path:
    return make_hyperlex(make_hierarcaps(tmp_path_factory.mktemp("data"), demo_photos))


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[str]:
    """The models that were opened; none is real."""
    names: list[str] = []

    def opened(model, **_):
        if not isinstance(model, str):
            return model
        names.append(model)
        embedder = MadeEmbedder(text=lambda text: drawn(f"{model} {text}"))
        embedder.name = model
        return embedder

    def offline(*_, **__):
        raise DownloadError("there is no network")

    monkeypatch.setattr(benchmark, "open_embedder", opened)
    monkeypatch.setattr(fetching, "download", offline)
    monkeypatch.setenv("COLUMNS", "100")
    return names


@pytest.fixture
def run():
    def command(*words, code: int = 0):
        done = CliRunner().invoke(app, ["eval", *map(str, words)])
        if done.exit_code != code:
            raise done.exception or AssertionError(done.output)
        return done

    return command


def test_a_table(run, data):
    shown = run("hierarcaps", "hyperlex", "--data", data, "--model", "made").stdout
    assert shown.startswith("model: made\n\nhierarcaps\n")
    assert "    precision" in shown
    assert "\nhyperlex\n" in shown
    assert "chance" in shown
    assert "baseline" not in shown
    assert "paper  " not in shown  # no paper has this model


def test_the_papers_row_for_its_model(run, data):
    shown = run("hierarcaps", "--data", data, "--model", "clip-b").stdout
    (line,) = [line for line in shown.splitlines() if line.split()[:1] == ["precision"]][:1]
    assert line.split()[-1] == "0.14"
    assert "table 1, row CLIP-B; HierarCaps test, 1000 photos" in " ".join(shown.split())


def test_json_has_the_documented_shape(run, data):
    content = json.loads(run("hierarcaps", "--data", data, "--model", "made", "--json").stdout)
    assert list(content) == ["hierarcaps", "run"]
    for protocol in ("official", "paper"):
        assert {"precision", "recall", "tau", "n"} <= set(content["hierarcaps"][protocol])
    assert content["run"]["files"]["hierarcaps"].keys() == {
        "hierarcaps_test.csv",
        "hierarcaps_pairs.csv.gz",
        "photos",
    }
    assert content["run"]["seed"] == 0
    assert content["run"]["versions"]["hiersearch"]


def test_a_baseline_beside_it(run, data, asked):
    words = ["hyperlex", "--data", data, "--model", "made", "--baseline", "base"]
    shown = run(*words).stdout
    assert asked == ["made", "base"]
    assert "measured  baseline    change    chance" in shown
    run_ = json.loads(run(*words, "--json").stdout)["run"]
    assert run_["baseline"]["name"] == "base"
    assert set(run_["difference"]["hyperlex"]) == {"word", "picture"}


def test_preservation_takes_the_baseline(run, data):
    words = ["preservation", "--data", data, "--model", "made"]
    content = json.loads(run(*words, "--baseline", "base", "--json").stdout)
    assert content["preservation"]["baseline"] == "base"
    with pytest.raises(UsageError, match="compares a model") as caught:
        run(*words)
    assert "--baseline" in caught.value.hint


def test_missing_data_keeps_no_other_benchmark_from_running(run, data):
    done = run("hyperlex", "species", "--data", data, "--model", "made", "--json", code=1)
    content = json.loads(done.stdout)
    assert list(content) == ["hyperlex", "run"]
    assert "taxonomy.csv" in content["run"]["failed"]["species"]
    assert "hiersearch: species: " in done.stderr
    assert "species: not measured" in " ".join(
        run("species", "hyperlex", "--data", data, "--model", "made", code=1).stdout.split()
    )


def test_missing_data_of_the_one_benchmark_is_its_error(run, tmp_path, asked):
    with pytest.raises(MissingDataError, match=r"hyperlex-all\.txt") as caught:
        run("hyperlex", "--data", tmp_path, "--model", "made")
    assert "there is no network" in caught.value.message
    assert "https://github.com/cambridgeltl/hyperlex" in caught.value.hint
    assert asked == []


def test_all_leaves_out_what_needs_a_baseline(run, data):
    done = run("all", "--data", data, "--model", "made", "--json", code=1)
    content = json.loads(done.stdout)
    assert list(content)[:2] == ["hierarcaps", "hyperlex"]
    assert "preservation is left out" in done.stderr
    assert "preservation" not in content["run"]["failed"]
    assert {"breeds", "species"} <= set(content["run"]["failed"])


def test_data_by_the_environment(run, data, monkeypatch):
    monkeypatch.setenv("HIERSEARCH_DATA", str(data))
    assert "hyperlex" in run("hyperlex", "--model", "made").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nonsense"], "no benchmark is called nonsense"),
        (["all", "typo"], "no benchmark is called typo"),
        (["all", "preservation"], "compares a model"),
        (["hyperlex", "--data", "/no/such/folder"], "there is no folder /no/such/folder"),
        (["hyperlex", "--photo", "a.png"], "--photo goes with hierarcaps alone"),
        (["hierarcaps", "--photo", "a.png", "--baseline", "b"], "--baseline does not go with it"),
        (["hierarcaps", "--photo", "a.png", "--markdown", "b"], "--markdown does not go with it"),
        (["hyperlex", "--single-prompts"], "--single-prompts goes with breeds"),
        (["hyperlex", "--set", "cifar10"], "--set goes with classify"),
    ],
)
def test_wrong_use_is_seen_before_a_model_is_loaded(run, asked, words, says):
    with pytest.raises(UsageError, match=says):
        run(*words, "--model", "made")
    assert asked == []


def test_plots_and_markdown(run, data, tmp_path):
    plots, report = tmp_path / "plots", tmp_path / "report.md"
    words = ["--plot", plots, "--markdown", report]
    done = run("hierarcaps", "--data", data, "--model", "made", *words)
    assert sorted(path.name for path in plots.iterdir()) == [
        "hierarcaps-entailment.png",
        "hierarcaps-recall-by-radius.png",
        "hierarcaps-root-distance-by-tier.png",
    ]
    assert report.read_text().startswith("# Evaluation\n")
    assert f"written: {report}" in done.stderr
    with pytest.raises(UsageError, match="cannot be written"):
        run("hyperlex", "--data", data, "--model", "made", "--markdown", tmp_path / "no" / "a.md")


def test_plots_without_matplotlib_fail_before_anything_runs(
    run, data, tmp_path, monkeypatch, asked
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Exception, match="plotting needs the package matplotlib"):
        run("hierarcaps", "--data", data, "--model", "made", "--plot", tmp_path)
    assert asked == []


def test_the_chain_of_any_photo(run, data, demo_photos, tmp_path):
    photo = demo_photos / "cat.jpg"
    words = ["hierarcaps", "--data", data, "--model", "made", "--photo", photo]
    first, *texts = run(*words).stdout.splitlines()
    assert first == str(photo)
    assert texts
    done = run(*words, "--photo", demo_photos / "coffee.jpg", "--json", "--plot", tmp_path)
    found = json.loads(done.stdout)
    assert [Path(each["photo"]).name for each in found] == ["cat.jpg", "coffee.jpg"]
    assert set(found[0]["chain"][0]) == {"text", "root_distance", "score"}
    assert (tmp_path / "hierarcaps-chains.png").is_file()
    with pytest.raises(PhotosNotFoundError, match="nowhere"):
        run(*words, "--photo", tmp_path / "nowhere.png")


def test_the_prompts_that_hold_both_labels(monkeypatch, run, data):
    given = {}

    def evaluate(name, embedder, **options):
        given[name] = options
        raise MissingDataError("none")

    monkeypatch.setattr(benchmark, "evaluate", evaluate)
    run("breeds", "hyperlex", "--data", data, "--model", "made", "--single-prompts", code=1)
    assert len(given["breeds"]["baselines"]) == 5
    assert "baselines" not in given["hyperlex"]


def test_sets_of_classes_by_name(run, data):
    words = ["classify", "--data", data, "--model", "made", "--set", "cifar10"]
    with pytest.raises(MissingDataError, match="there is no network") as caught:
        run(*words)
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in caught.value.hint
    with pytest.raises(UsageError, match="no data set of classes is called pets"):
        run("classify", "--data", data, "--model", "made", "--set", "pets")


def test_offline_hierarcaps_lacks_entailment_alone(run, tmp_path, demo_photos):
    data = make_hierarcaps(tmp_path, demo_photos, pairs=False)
    content = json.loads(run("hierarcaps", "--data", data, "--model", "made", "--json").stdout)
    assert content["hierarcaps"]["official"]["n"] == 4
    assert content["hierarcaps"]["entailment"]["auroc"] is None
    (note,) = [n for n in content["run"]["notes"]["hierarcaps"] if "Entailment" in n]
    assert "hierarcaps_train.csv" in note
    assert "there is no network" in note


def test_the_model_is_the_flags_else_the_environments_else_the_files(
    run, data, asked, tmp_path, monkeypatch
):
    config = tmp_path / "config.toml"
    config.write_text('model = "file"\n')
    monkeypatch.setenv("HIERSEARCH_CONFIG", str(config))
    run("hyperlex", "--data", data)
    monkeypatch.setenv("HIERSEARCH_MODEL", "environment")
    run("hyperlex", "--data", data)
    run("hyperlex", "--data", data, "--model", "flag")
    assert asked == ["file", "environment", "flag"]

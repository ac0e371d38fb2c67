from __future__ import annotations

import json

import pytest

from hiersearch.evaluation.benchmark import Result
from hiersearch.evaluation.report import (
    ModelLabel,
    Report,
    as_lines,
    as_markdown,
    flat,
    package_versions,
)


def result(value: float | None = 0.25, *, name: str = "hierarcaps") -> Result:
    return Result(
        benchmark=name,
        scores={"official": {"precision": value, "n": 500}, "prompt": "a picture of a {}"},
        chance={"official": {"precision": 0.0024}},
        notes=("500 of 1000 | items",),
        files={"test.csv": "00ff"},
    )


def report(model: str = "mini", *, baseline: bool = False, **changes) -> Report:
    given = {
        "model": ModelLabel(model, "id-1"),
        "results": [result()],
        "seed": 3,
        "versions": {"numpy": "2"},
    }
    if baseline:
        given |= {
            "baseline": ModelLabel("base", "id-0"),
            "baseline_results": {"hierarcaps": result(0.2)},
        }
    return Report(**{**given, **changes})


class TestJson:
    def test_scores_by_benchmark_and_all_else_under_run(self):
        content = json.loads(json.dumps(report().to_json(), allow_nan=False))
        assert list(content) == ["hierarcaps", "run"]
        assert content["hierarcaps"]["official"] == {"precision": 0.25, "n": 500}
        assert content["run"] == {
            "version": 1,
            "model": {"name": "mini", "id": "id-1"},
            "seed": 3,
            "versions": {"numpy": "2"},
            "files": {"hierarcaps": {"test.csv": "00ff"}},
            "chance": {"hierarcaps": {"official": {"precision": 0.0024}}},
            "notes": {"hierarcaps": ["500 of 1000 | items"]},
            "references": {},
            "failed": {},
        }

    def test_a_baseline_and_the_difference(self):
        run = report(baseline=True).to_json()["run"]
        assert run["baseline"]["name"] == "base"
        assert run["baseline"]["scores"]["hierarcaps"]["official"]["precision"] == 0.2
        (difference,) = dict(flat(run["difference"])).items()
        assert difference[0] == ("hierarcaps", "official", "precision")
        assert difference[1] == pytest.approx(0.05)

    def test_the_papers_numbers_stand_apart_from_the_measured(self):
        content = report("clip-b").to_json()
        assert content["hierarcaps"]["official"]["precision"] == 0.25
        (reference,) = content["run"]["references"]["hierarcaps"]
        assert reference["scores"]["official"]["precision"] == 0.14
        assert reference["table"] == "table 1"
        assert reference["paper"]

    def test_what_is_not_finite_is_null_and_noted(self):
        text = json.dumps(report(results=[result(float("nan"))]).to_json(), allow_nan=False)
        content = json.loads(text)
        assert content["hierarcaps"]["official"]["precision"] is None
        assert any("not defined" in note for note in content["run"]["notes"]["hierarcaps"])

    def test_versions_of_packages_that_are_there(self):
        assert set(package_versions()) == {
            "hiersearch",
            "torch",
            "transformers",
            "sentence-transformers",
            "numpy",
        }
        assert package_versions(["no-such-package-of-anyone"]) == {}


class TestLines:
    def test_a_table_with_chance_beside_each_score(self):
        assert as_lines(report(), 60) == [
            "model: mini",
            "",
            "hierarcaps",
            "                             measured    chance",
            "  official",
            "    precision                   0.250    0.0024",
            "    n                             500",
            "  prompt: a picture of a {}",
            "* 500 of 1000 | items",
        ]

    def test_baseline_change_and_paper_have_columns_of_their_own(self):
        head, *rows = as_lines(report("clip-b", baseline=True), 80)[4:]
        assert head.split() == ["measured", "baseline", "change", "chance", "paper"]
        (precision,) = [row.split() for row in rows if "precision" in row]
        assert precision == ["precision", "0.250", "0.200", "+0.050", "0.0024", "0.14"]
        assert any("table 1, row CLIP-B;" in row for row in rows)
        # Counts do not change for the better or worse.
        (count,) = [row.split() for row in rows if row.split()[0] == "n"]
        assert count == ["n", "500", "500"]

    @pytest.mark.parametrize("width", [20, 30, 40, 60, 100])
    def test_no_line_is_wider_than_the_terminal(self, width):
        shown = report("clip-b", baseline=True, failed={"species": "no data. Get it."})
        lines = as_lines(shown, width)
        assert max(map(len, lines)) <= width
        text = " ".join(" ".join(lines).split())
        assert "0.250" in text
        assert "0.200" in text
        assert "species: not measured. no data. Get it." in text

    def test_words_and_long_names_wrap_below_themselves(self):
        prompt = "a picture of a {fine}, which is a type of {coarse}, in a field"
        scores = {"group": {"prompt": prompt, f"recall of {prompt}": 0.5}}
        assert as_lines(report(results=[Result("breeds", scores)]), 40)[3:] == [
            "                                measured",
            "  group",
            "    prompt: a picture of a",
            "    {fine}, which is a type of",
            "    {coarse}, in a field",
            "    recall of a picture of a       0.500",
            "    {fine}, which is a type of",
            "    {coarse}, in a field",
        ]

    def test_numbers_go_below_names_where_there_is_no_room_beside_them(self):
        lines = as_lines(report("clip-b", baseline=True), 30)
        at = lines.index("    precision")
        assert [" ".join(line.split()) for line in lines[at + 1 : at + 6]] == [
            "measured 0.250",
            "baseline 0.200",
            "change +0.050",
            "chance 0.0024",
            "paper 0.14",
        ]

    def test_undefined_values_are_dashes(self):
        (line,) = [line for line in as_lines(report(results=[result(None)])) if "precision" in line]
        assert line.split() == ["precision", "-", "0.0024"]


def test_markdown():
    text = as_markdown(report("clip-b", baseline=True, failed={"species": "no data"}))
    assert "## hierarcaps" in text
    assert "| score | measured | baseline | change | chance | paper |" in text
    assert "| official / precision | 0.250 | 0.200 | +0.050 | 0.0024 | 0.14 |" in text
    assert "* 500 of 1000 \\| items" in text
    assert "* test.csv: `00ff`" in text
    assert "* seed: 3" in text
    assert "* numpy 2" in text
    assert "* species: not measured. no data" in text
    assert text.endswith("\n")

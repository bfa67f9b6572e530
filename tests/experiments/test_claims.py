"""The claims on the toy task: in a comparison's folder, then gone on with."""

import json
import shutil

import pytest
from scripts import COMPARED, refused, run

from rnnsent import notebook
from rnnsent.claims import CONDITIONS
from rnnsent.verdicts import Criterion, verdict

pytestmark = pytest.mark.slow
OPTIONS = ("--data", "toy", "--epochs", "2", "--seeds", "0", "--maxlen", "24")


@pytest.fixture(scope="module")
def finished(compared, tmp_path_factory):
    """Where both ran, the folder, and what there was after the comparison: file contents."""
    cwd = tmp_path_factory.mktemp("work")
    (made,) = (compared[0] / "runs").iterdir()
    folder = cwd / "both"
    shutil.copytree(made, folder)
    kept = [folder / "report.md", *folder.glob("*/seed-?/result.json")]
    before = {path: path.read_bytes() for path in kept}
    done = run("experiments.claims", *OPTIONS, "--run", "both", cwd=cwd)
    return cwd, folder, before, done


def test_every_claim_gets_the_verdict_of_its_criteria(finished):
    folder = finished[1] / "claims"
    found = json.loads((folder / "claims.json").read_text())
    assert list(found) == list(notebook.CLAIMS)
    report = (folder / "report.md").read_text()
    for claim, one in found.items():
        holds = [criterion["holds"] for criterion in one["criteria"]]
        assert one["verdict"] == verdict([Criterion("", "", h) for h in holds])
        assert f"| {claim} | **{one['verdict']}** |" in report
    assert "`toy`" in "\n".join(report.splitlines()[:5])


def test_the_page_has_the_cards_and_every_figure(finished):
    folder = finished[1] / "claims"
    page, report = ((folder / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert page.count("<article") == 20
    assert page.count("<img") == report.count("](figures/") >= 6


def test_the_conditions_differ_as_they_say(finished):
    folder = finished[1]
    for name, condition in CONDITIONS.items():
        place = folder / name / "seed-0"
        assert len((place / "metrics.jsonl").read_text().splitlines()) == 2 * condition.epochs
        measured = json.loads((place / "measured.json").read_text())
        assert set(measured) == {"last", "replaced", "flips", "reading", "fresh", "trained"}


def test_a_comparisons_trainings_are_taken_over_and_both_reports_stay(finished):
    cwd, folder, before, done = finished
    assert len(before) == 5
    assert all(path.read_bytes() == content for path, content in before.items())
    trained = [line for line in done.stderr.splitlines() if " epoch 1/" in line]
    assert len(trained) == len(CONDITIONS) - 2
    back = run("experiments.compare", *COMPARED, "--run", "both", cwd=cwd)
    assert " epoch 1/" not in back.stderr
    results = {path: content for path, content in before.items() if path.name == "result.json"}
    assert all(path.read_bytes() == content for path, content in results.items())


def test_what_is_finished_is_not_done_again(finished):
    """Nor is it in a folder of the claims' own, where the report is the folder's."""
    cwd, both, *_ = finished
    folder = cwd / "alone"
    left_out = shutil.ignore_patterns("claims", "summary.json", "report.*", "figures")
    shutil.copytree(both, folder, ignore=left_out)
    kept = folder / "lstm" / "seed-0"
    before = [(kept / name).stat().st_mtime_ns for name in ("result.json", "measured.json")]
    again = folder / "simple_rnn-plain" / "seed-0" / "measured.json"
    text = again.read_text()
    again.unlink()
    done = run("experiments.claims", *OPTIONS, "--run", str(folder), cwd=cwd)
    assert done.stderr.count("looking inside") == 1
    assert json.loads(again.read_text()) == json.loads(text)
    after = [(kept / name).stat().st_mtime_ns for name in ("result.json", "measured.json")]
    assert before == after
    assert (folder / "report.html").read_text().count("<article") == 20
    assert not (folder / "claims").exists()


def test_a_claims_folders_conditions_can_be_inspected(finished, monkeypatch, capsys):
    cwd, folder, *_ = finished
    models = ("--models", "simple_rnn-plain", "lstm-recurrent")
    done = run("experiments.inspect", str(folder), "--review", "3", *models, cwd=cwd)
    for name in models[1:]:
        assert f"{CONDITIONS[name].title}: " in done.stdout
    wrong = f"experiments.inspect {folder} --models gru --review 3"
    assert "lstm-recurrent" in refused(wrong, cwd, monkeypatch, capsys)

"""The claims on the toy task: in a comparison's folder, drawn again, gone on with."""

import json
import shutil

import claims_world
import pytest
from scripts import refused, run

from experiments import claims
from rnnsent import locks, notebook, runs
from rnnsent.claims.conditions import CONDITIONS
from rnnsent.claims.criterion import verdict
from rnnsent.claims.record import Record

pytestmark = pytest.mark.slow
OPTIONS = "--data toy --epochs 2 --seeds 0 --maxlen 24 --features 8 4".split()
COMPARED = ("notebook-lstm", "notebook-simple-rnn")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Where both ran, the folder, what the comparison left in it, and what the claims said."""
    cwd = tmp_path_factory.mktemp("work")
    (cwd / "my.toml").write_text('extends = "notebook-lstm"\ndropout = 0.3\n')
    run("experiments.compare", "--recipes", *COMPARED, *OPTIONS, "--run", "both", cwd=cwd)
    folder = cwd / "both"
    kept = [folder / "report.md", folder / "record.json", *folder.glob("*/seed-0/result.json")]
    before = {path: path.read_bytes() for path in kept}
    done = run("experiments.claims", *OPTIONS, "--recipes", "my.toml", "--run", "both", cwd=cwd)
    return cwd, folder, before, done


def test_every_claim_has_its_verdict_and_the_guest_its_rows(finished):
    record = runs.read_record(finished[1], Record)
    assert [claim.statement for claim in record.claims] == list(notebook.CLAIMS)
    assert all(claim.verdict == verdict(claim.criteria) for claim in record.claims)
    *conditions, guest = record.rows
    assert conditions == list(CONDITIONS) and guest.startswith("my+")
    text = (finished[1] / "claims" / "report.md").read_text()
    assert guest in text and record.rows[guest].printed is None


def test_the_page_has_the_cards_and_every_figure(finished):
    folder = finished[1] / "claims"
    page, text = ((folder / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert page.count("<article") == 20
    assert page.count("<img") == text.count("](figures/") >= 6


def test_the_conditions_differ_as_they_say(finished):
    rows = runs.read_record(finished[1], Record).rows
    assert [rows[name].found[0].epochs for name in CONDITIONS] == [2, 2, 4, 2, 2]
    assert [rows[name].recurrent_dropout for name in CONDITIONS] == [0.1, 0, 0.1, 0, 0.1]


def test_a_comparisons_trainings_are_taken_over_and_both_reports_stay(finished):
    _, _, before, done = finished
    assert len(before) == 4
    assert all(path.read_bytes() == content for path, content in before.items())
    assert f"To be trained: {len(CONDITIONS) + 1 - 2} of {len(CONDITIONS) + 1}" in done.stderr


def test_pages_are_drawn_again_without_computing(finished):
    cwd, folder, *_ = finished
    page = folder / "claims" / "report.html"
    before = page.read_bytes()
    page.unlink()
    done = run("experiments.claims", "--redraw", "both", cwd=cwd)
    assert page.read_bytes() == before
    assert "looking inside" not in done.stderr and "To be trained" not in done.stderr


@pytest.mark.ci
def test_what_is_finished_is_not_done_again(finished):
    cwd, both, *_ = finished
    folder = cwd / "again"
    shutil.copytree(both, folder, ignore=shutil.ignore_patterns("claims"))
    (measured,) = folder.glob("notebook-lstm*dropout*/seed-0/measured.json")
    text = measured.read_text()
    measured.unlink()
    options = (*OPTIONS, "--recipes", "my.toml", "--run", "again")
    done = run("experiments.claims", *options, cwd=cwd)
    assert done.stderr.count("looking inside") == 1 and "To be trained" not in done.stderr
    assert json.loads(measured.read_text()) == json.loads(text)
    assert (
        runs.read_record(folder, Record).rows.keys() == runs.read_record(both, Record).rows.keys()
    )


@pytest.mark.parametrize(
    "options, words",
    [
        ("--redraw nowhere", "claims/record.json cannot be read"),
        ("--recipes nothing", "no recipe"),
        ("--seeds 0 0", "twice"),
        ("--cell gru", "--cell: the claims set this"),
        ("--fits 3 --recurrent-dropout 0.1", "--fits, --recurrent-dropout: the claims"),
        ("--data toy --epochs 0", "epochs"),
    ],
)
def test_mistakes_are_one_line(options, words, tmp_path, monkeypatch, capsys):
    said = refused(f"experiments.claims {options}", tmp_path, monkeypatch, capsys)
    assert words in said and said.count("\n") == 1


def test_a_recipe_that_cannot_be_trained_is_refused_before_any_is(tmp_path, monkeypatch, capsys):
    (tmp_path / "my.toml").write_text('cell = "guests:MinimalCell"\nrecurrent_dropout = 0.1\n')
    command = f"experiments.claims {' '.join(OPTIONS)} --recipes my.toml --run run"
    assert "recurrent" in refused(command, tmp_path, monkeypatch, capsys)
    assert not list((tmp_path / "run").glob("*/seed-*"))


def test_a_training_that_diverged_ends_the_command_with_what_to_try(tmp_path):
    found = claims_world.results(claims_world.AS_MEASURED, seeds=2)
    lost, advice = "LSTM seed 3 diverged in epoch 1", "Try --clip 1."
    runs.write_record(tmp_path, claims_world.record(found, lost=lost, advice=advice))
    with pytest.raises(SystemExit, match=f"error: {lost}. {advice}$"):
        claims.main(claims.Options(redraw=tmp_path))


def test_pages_are_not_drawn_where_another_process_works(tmp_path, monkeypatch, capsys):
    made = claims_world.record(claims_world.results(claims_world.AS_MEASURED))
    runs.write_record(tmp_path, made)
    with locks.alone(tmp_path):
        said = refused(f"experiments.claims --redraw {tmp_path}", tmp_path, monkeypatch, capsys)
    assert "Another process" in said and not list(tmp_path.rglob("report.*"))

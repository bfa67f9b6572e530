import dataclasses

import msgspec
import numpy as np
import optax
import pytest
from compare import made

from rnnsent import data, evaluation, inference, readings, recipes, runs, training
from rnnsent.compare import entrants, measure, record, subjects
from rnnsent.comparison import holm
from rnnsent.data import PAD
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier

MODEL = SentimentClassifier(
    cell="lstm", vocab_size=100, embedding_size=4, features=(4, 3), head=3, dropout=0.0
)


@pytest.fixture(scope="module")
def reviews():
    return data.load("toy", data.Encoding(num_words=100, maxlen=24))


@pytest.fixture(scope="module")
def params():
    return training.create_state(MODEL, optax.identity(), 7).params


@pytest.fixture
def trained(reviews, params):
    """Makes a training whose logits are right on about a share of the reviews."""

    def make(seed, share, first_fit=None):
        logits = []
        for split in (reviews.train, reviews.test):
            generator = np.random.default_rng(seed)
            sign_N = np.where(generator.random(len(split.label_N)) < share, 1, -1)
            logits.append((2.0 * sign_N * (2 * split.label_N - 1)).astype(np.float32))
        epochs = [entrants.Epoch(loss=0.6, accuracy=0.7, seconds=s) for s in (9.0, 2.0, 4.0)]
        return subjects.Finished(seed, epochs, 15.0, None, *logits, first_fit, params)

    return make


def subject(name, trained, **changes):
    recipe = recipes.SHIPPED.get(name) or msgspec.structs.replace(
        recipes.SHIPPED["notebook-lstm"], name=name
    )
    return subjects.Subject(msgspec.structs.replace(recipe, **changes), MODEL, trained)


LOST = subjects.Finished(5, [entrants.Epoch(loss=float("nan"), accuracy=0.5, seconds=1.0)], 1.0, 1)


def measured(compared, reviews, **options):
    return measure.measure(compared, reviews, made.ORIGIN, **options)


def test_a_record_holds_what_was_measured_and_survives_its_file(reviews, trained, tmp_path):
    mine = subject("notebook-simple-rnn", [trained(0, 0.6, 0.5), LOST, trained(1, 0.7, 0.55)])
    other = subject("mine", [trained(0, 0.9), trained(1, 0.8)])
    made_of = measured([mine, other], reviews, bag_of_words=0.8)
    runs.write_record(tmp_path, made_of)
    found = runs.read_record(tmp_path, record.Record)
    first, second = found.entrants
    accuracies = [evaluation.accuracy(t.test_logits_N, reviews.test.label_N) for t in other.trained]
    assert [t.measured.test_accuracy for t in second.finished] == accuracies
    assert second.summary.test_accuracy == evaluation.spread(accuracies)
    assert second.summary.epoch_seconds == 3.0 and second.summary.seconds == 15.0
    assert first.summary.first_fit_accuracy.mean == pytest.approx(0.525)
    assert second.summary.first_fit_accuracy is None
    assert [t.diverged for t in first.trainings] == [None, 1, None]
    assert first.trainings[1].epochs[0].loss is None
    assert first.shipped and not second.shipped and found.bag_of_words == 0.8
    assert first.parameters == sum(layer.parameters for layer in first.layers) > 0
    assert not found.comparable and found.origin == made.ORIGIN
    assert first.fields["recurrent_dropout"] == 0.1 and "name" not in first.fields


def test_pairs_are_tested_by_seed_and_corrected_together(reviews, trained):
    names = ("notebook-simple-rnn", "notebook-lstm", "sound-simple-rnn", "sound-lstm")
    compared = []
    for i, name in enumerate(names):
        seeds = [dataclasses.replace(trained(s + i, 0.6 + 0.1 * i), seed=s) for s in (0, 1)]
        compared.append(subject(name, seeds))
    found = measured(compared, reviews)
    assert [(p.first, p.second) for p in found.pairs] == [
        *((names[0], other) for other in names[1:]),
        ("sound-simple-rnn", "sound-lstm"),
    ]
    tests = [test for pair in found.pairs for test in pair.tests]
    assert [test.seed for test in tests] == [0, 1] * 4
    assert [t.corrected for t in tests] == holm([t.p_value for t in tests])
    pair = found.pairs[0]
    first, second = (one.trained[0].test_logits_N for one in compared[:2])
    right = [evaluation.correct(logits_N, reviews.test.label_N) for logits_N in (first, second)]
    assert pair.tests[0].p_value == evaluation.mcnemar(*right).p_value
    means = [found.entrant(name).summary.test_accuracy.mean for name in names[:2]]
    assert pair.difference == pytest.approx(means[1] - means[0])
    assert found.sample.shown == (("sound-simple-rnn", 0), ("sound-lstm", 0))


@pytest.mark.parametrize("seconds", [{"epochs": 2, "clip": 0.5}, {"epochs": 2}])
def test_the_sound_ones_are_a_pair_where_the_same_is_changed_in_both(reviews, trained, seconds):
    def changed(name, fields):
        recipe = recipes.changed(recipes.SHIPPED[name], fields)
        return subjects.Subject(recipe, MODEL, [trained(0, 0.7)])

    first = {"epochs": 2, "clip": 0.5}
    compared = [
        subject("a", [trained(0, 0.6)]),
        changed("sound-simple-rnn", first),
        changed("sound-lstm", seconds),
    ]
    found, both = measured(compared, reviews), tuple(one.name for one in compared[1:])
    alike = seconds == first
    assert ((found.pairs[-1].first, found.pairs[-1].second) == both) == alike
    assert len(found.pairs) == 2 + alike
    assert (tuple(name for name, _ in found.sample.shown) == both) == alike


def test_recipes_without_a_seed_in_common_are_not_paired(reviews, trained):
    found = measured([subject("a", [trained(0, 0.6)]), subject("b", [trained(1, 0.7)])], reviews)
    assert found.pairs == () and found.agreements == ()
    assert found.sample.shown == (("a", 0), ("b", 1))


def test_a_recipe_that_diverged_in_all_seeds_is_there_and_compared_with_nothing(reviews, trained):
    found = measured([subject("a", [LOST]), subject("b", [trained(0, 0.7)])], reviews)
    assert found.entrants[0].summary is None and found.pairs == ()
    assert [name for name, _ in found.sample.shown] == ["b"]


def test_a_recipe_with_anothers_title_is_called_by_its_name(reviews, trained):
    found = measured(
        [subject("notebook-lstm", [trained(0, 0.7)]), subject("LSTM, notebook", [trained(0, 0.7)])],
        reviews,
    )
    assert [e.title for e in found.entrants] == ["notebook-lstm", "LSTM, notebook"]


def test_groups_add_up_to_all_reviews(reviews, trained):
    found = measured([subject("a", [trained(0, 1.0)])], reviews)
    for groups in found.groups.values():
        assert sum(group.reviews for group in groups) == len(reviews.test.names)
        assert all(group.accuracy == {"a": 1.0} for group in groups)


def test_agreement_pairs_recipes_by_seed_and_seeds_with_each_other(reviews, trained):
    one = trained(0, 1.0)
    same = [dataclasses.replace(one, seed=seed) for seed in range(3)]
    opposite = [dataclasses.replace(t, test_logits_N=-t.test_logits_N) for t in same]
    found = measured([subject("a", same), subject("b", opposite)], reviews).agreements
    assert [(a.first, a.second, a.pairs, a.share) for a in found] == [
        ("a", "b", 3, 0.0),
        ("a", "a", 3, 1.0),
        ("b", "b", 3, 1.0),
    ]
    assert found[0].kappa < -0.9 and found[1].kappa == 1.0


def test_the_sample_is_the_notebooks_choice_read_word_by_word(reviews, trained, params):
    found = measured([subject("a", [trained(0, 0.8)])], reviews).sample
    assert len(found.reviews) == 20 and found.shown == (("a", 0),)
    review, row = found.reviews[0], int(found.reviews[0].name.split()[-1].replace(",", ""))
    ids_T = reviews.test.ids_NT[row]
    assert review.words == readings.words(reviews.vocabulary, ids_T)
    assert review.printed == {} and review.truth == reviews.test.label_N[row]
    (logit,) = inference.predict(MODEL, params, ids_T[None])
    assert review.readings[0].probability == pytest.approx(evaluation.probability(logit), abs=1e-6)
    assert (ids_T != PAD).sum() >= len(review.words)


def test_finished_trainings_of_a_run_folder_are_subjects(reviews, tmp_path):
    tiny = {"features": (4,), "head": 3, "embedding_size": 4, "epochs": 1}
    recipe = recipes.changed(recipes.SHIPPED["notebook-simple-rnn"], tiny)
    trained = runs.train(tmp_path, recipe, [0], reviews)
    (subject,) = subjects.finished([recipe], [trained], reviews)
    (one,) = subject.trained
    assert one.first_fit_accuracy == trained[0].result.fits[0].test_accuracy
    assert len(one.epochs) == 2 and subject.model.features == (4,)
    logits_N = inference.predict(subject.model, one.params, reviews.test.ids_NT)
    np.testing.assert_allclose(logits_N, one.test_logits_N, atol=1e-5)
    (scanned,) = subjects.finished([recipe], [trained], reviews, "scan")
    assert scanned.model.implementation == scanned.still.implementation == "scan"
    forged = msgspec.structs.replace(trained[0].recipe, cell="evil:X")
    config = msgspec.structs.replace(trained[0].config, recipe=forged)
    with pytest.raises(UserError, match="'evil:X'"):
        subjects.finished([recipe], [[dataclasses.replace(trained[0], config=config)]], reviews)
    lost = dataclasses.replace(
        trained[0], result=msgspec.structs.replace(trained[0].result, fits=(), diverged=1)
    )
    (subject,) = subjects.finished([recipe], [[lost]], reviews)
    assert subject.finite() == {} and subject.trained[0].diverged == 1

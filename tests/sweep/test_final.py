import msgspec
import pytest
from sweep import made

from rnnsent import data, recipes, runs
from rnnsent.errors import UserError
from rnnsent.runs import files
from rnnsent.runs.records import Config, Data, Result
from rnnsent.sweep import final

TINY = {"cell": "simple_rnn", "features": [4], "head": 2, "embedding_size": 2, "epochs": 1}
BETTER = TINY | {"dropout": 0.3}


def record(best=BETTER, accuracies=(0.7, 0.8)):
    return made.of((TINY, [0.5, 0.6][: len(accuracies)]), (best, list(accuracies)))


class World:
    """Counts how often the test reviews are loaded and what is trained."""

    def __init__(self):
        self.loaded, self.trained = 0, []

    def load(self):
        self.loaded += 1
        return data.load("toy", data.Encoding(num_words=40, maxlen=16))

    def train(self, folder, members, seeds, reviews):
        for member in members:
            self.trained += runs.pending(folder, member, seeds)
            runs.train(folder, member, seeds, reviews)

    def read(self, folder, held=None):
        return final.read_test(folder, held or record(), self.load, self.train)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    world, folder = World(), tmp_path_factory.mktemp("done")
    return folder, world.read(folder), world


def test_the_best_is_trained_on_all_training_reviews_and_measured_on_the_test_reviews(done):
    folder, told, world = done
    assert (world.loaded, world.trained) == (1, [0, 1])
    assert told.name == record().ranked[0].name and told.seeds == (0, 1)
    reviews = world.load()
    world.loaded -= 1
    for one in told.tested:
        trained = runs.load(
            folder / final.FOLDER / final.chosen(record()).folder / f"seed-{one.seed}"
        )
        assert trained.config.rows == len(reviews.train) == 1024
        right_N = (trained.test_logits_N > 0) == (reviews.test.label_N == 1)
        assert one.accuracy == right_N.mean() and len(right_N) == 256
        assert trained.recipe.dropout == 0.3
    assert told.test_title == "toy accuracy" and final.read(folder) == told


def test_the_same_choice_shows_what_is_stored(done):
    folder, told, _ = done
    again = World()
    assert again.read(folder) == told and not again.loaded and not again.trained


@pytest.mark.parametrize(
    "other",
    [record(TINY | {"dropout": 0.2}), record(accuracies=(0.8,)), record(BETTER, (0.1, 0.1))],
)
def test_another_choice_is_refused_without_a_look(done, other):
    folder, told, _ = done
    again = World()
    with pytest.raises(UserError, match=f"opened on {told.opened[:10]}.* another choice"):
        again.read(folder, other)
    assert not again.loaded and final.read(folder) == told


def test_the_choice_is_written_down_before_the_test_reviews_are_read(tmp_path):
    world = World()

    def looked():
        held = final.read(tmp_path)
        assert held.digest == recipes.digest(final.chosen(record())) and not held.tested
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        final.read_test(tmp_path, record(), looked, world.train)
    with pytest.raises(UserError, match="another choice"):
        world.read(tmp_path, record(TINY | {"dropout": 0.2}))
    assert not world.loaded
    opened = final.read(tmp_path).opened
    told = world.read(tmp_path)
    assert told.opened == opened and len(told.tested) == 2


def test_reviews_that_cannot_be_had_leave_nothing(tmp_path):
    def gone():
        raise UserError("there are none")

    with pytest.raises(UserError, match="there are none"):
        final.read_test(tmp_path, record(), gone, World().train)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_chosen_where_everything_diverged(tmp_path):
    held = made.of((TINY, [None]), (BETTER, [None]))
    with pytest.raises(UserError, match="none is chosen"):
        World().read(tmp_path, held)
    assert list(tmp_path.iterdir()) == []


def test_one_that_diverges_on_all_reviews_is_told(tmp_path):
    def lost(folder, members, seeds, reviews):
        for seed in seeds:
            place = runs.seed_folder(folder, members[0].folder, seed)
            place.mkdir(parents=True)
            config = Config(members[0], "0", seed, len(reviews.train), 40, "scan")
            of = Data("toy", "toy", "toy accuracy", 1024, 256)
            files.write_json(place / "config.json", config)
            files.write_json(place / "result.json", Result("x", seed, of, (), 3, (1.0,), 1.0))

    told = final.read_test(tmp_path, record(), World().load, lost)
    assert told.accuracy is None and [one.diverged for one in told.tested] == [3, 3]
    assert final.read(tmp_path) == told


@pytest.mark.parametrize("text", ["{}", "[", '{"name": 1}'])
def test_a_damaged_file_is_no_licence_to_look_again(tmp_path, text):
    (tmp_path / final.NAME).write_text(text)
    world = World()
    with pytest.raises(UserError, match="cannot be read"):
        world.read(tmp_path)
    assert not world.loaded


def test_a_recipe_called_final_has_another_folder():
    recipe = msgspec.structs.replace(made.BASE, name=final.FOLDER)
    assert recipe.folder != final.FOLDER

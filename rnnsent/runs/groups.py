"""Seeds of a recipe trained as one program into their folders, from wherever they stand."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

import msgspec
import optax

from rnnsent import (
    console,
    divergence,
    epochs,
    fitting,
    interrupts,
    processes,
    provenance,
    recipes,
)
from rnnsent.data import Reviews
from rnnsent.divergence import Divergence
from rnnsent.epochs import Keeping, Position, Progress
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.recipes import Recipe
from rnnsent.runs import last
from rnnsent.runs.courses import Course
from rnnsent.runs.last import Last
from rnnsent.runs.reading import seed_folder
from rnnsent.runs.records import Config
from rnnsent.training import TrainState, create_state


@dataclasses.dataclass(frozen=True)
class Group:
    """Seeds of a recipe that are trained as one program.

    Attributes:
      recipe: what is trained, and how.
      seeds: one training for each.
      reviews: trained and measured on.
      model: of the recipe.
      optimizer: likewise.
      debug_nans: whether the step in which one diverges is run once more, op by op.
    """

    recipe: Recipe
    seeds: Sequence[int]
    reviews: Reviews
    model: SentimentClassifier
    optimizer: optax.GradientTransformation
    debug_nans: bool = False

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        seeds: Sequence[int],
        reviews: Reviews,
        implementation: str,
        debug_nans: bool = False,
    ) -> "Group":
        model = recipe.classifier(reviews.encoding.num_words, implementation)
        optimizer = recipe.optimizer(len(reviews.train))
        return cls(recipe, seeds, reviews, model, optimizer, debug_nans)

    def train(
        self,
        run: pathlib.Path,
        progress: Callable[[Progress], None] | None,
        every: int,
        begun: Last | None,
    ) -> None:
        """All fits, each measured, into the folders of the seeds.

        Args:
          run: the folder.
          progress: called every few steps.
          every: steps after which there is a checkpoint within an epoch; 0: none.
          begun: where they stand, if they were begun.
        """
        started = time.perf_counter()
        courses = self._start(run)
        ended, at, seconds = self._go_on(courses, begun)
        origin = provenance.of(self.reviews)
        for course in courses:
            if not course.finished:
                course.begin(origin)
        seconds += time.perf_counter() - started
        with last.Saver(courses[0].folder, every) as saver:
            for fit in range(ended, self.recipe.fits):
                if all(course.diverged for course in courses):
                    break
                way = _Way(courses, saver, fit, at, seconds)
                self._fit(way, progress)
                seconds, at = way.seconds, Position(self.recipe.epochs * (fit + 1))
                for course in courses:
                    course.measure(self.model, self.reviews)
                    self._explain(course)
        for course in courses:
            if processes.is_first() and not course.finished:
                course.keep(self.reviews.provenance, seconds, len(self.seeds))
        last.remove(courses[0].folder)

    def _start(self, run: pathlib.Path) -> list[Course]:
        try:
            states = [create_state(self.model, self.optimizer, s) for s in self.seeds]
        except ValueError as error:  # for example an identity that is not square
            raise UserError(f"{self.recipe.name}: {error}.") from error
        places = [seed_folder(run, self.recipe.folder, seed) for seed in self.seeds]
        configs = [self._config(seed) for seed in self.seeds]
        return [Course(*one) for one in zip(places, configs, states, strict=True)]

    def _config(self, seed: int) -> Config:
        rows, words = len(self.reviews.train), self.model.vocab_size
        implementation = self.model.chosen
        return Config(self.recipe, recipes.digest(self.recipe), seed, rows, words, implementation)

    def _go_on(self, courses: Sequence[Course], begun: Last | None) -> tuple[int, Position, float]:
        """The fit, the position in it and the seconds so far, from a checkpoint if it fits."""
        folder = courses[0].folder
        if begun and not (states := self._restored(folder, courses, begun)):
            begun = None
        if begun is None:
            last.remove(folder)
            return 0, Position(), 0.0
        for course, held, (state, best) in zip(courses, begun.seeds, states, strict=True):
            course.go_on(held, state, best)
        where = f"in epoch {begun.epoch + 1}, step {begun.step}"
        if begun.epoch == self.recipe.epochs * (begun.fit + 1):
            where = f"after epoch {begun.epoch}"
        console.say(f"{self.recipe.title}, seed {self._numbers}: goes on {where}.")
        if begun.machine != last.machine():
            console.say(f"It was begun on {begun.machine}, so its figures are not of one machine.")
        return begun.fit, begun.position, begun.seconds

    def _restored(
        self, folder: pathlib.Path, courses: Sequence[Course], begun: Last
    ) -> list[tuple[TrainState, TrainState | None]]:
        """The last and best states of a checkpoint, or none, which a line tells of."""
        held, own = ([_plain(o.config) for o in them] for them in (begun.seeds, courses))
        try:
            if held != own:
                raise UserError("it is of other settings")
            return last.restore(folder, begun, self.model, self.optimizer)
        except UserError as error:
            why = f"{folder / last.NAME} cannot be gone on with ({error.__cause__ or error})"
            console.say(f"{why}: seed {self._numbers} is trained from its start.")
            return []

    @property
    def _numbers(self) -> str:
        return ", ".join(map(str, self.seeds))

    def _fit(self, way: "_Way", progress: Callable[[Progress], None] | None) -> None:
        """What is left of a fit of every course."""
        left = self.recipe.epochs * (way.fit + 1) - way.start.epoch
        if not left:  # it was killed while it was measured
            return

        def tell(seeds: Sequence[Progress]) -> None:
            if progress:
                progress(epochs.mean(seeds))

        def ended(states: list[TrainState], seeds: list[Progress]) -> None:
            for course, state, now in zip(way.courses, states, seeds, strict=True):
                course.ended(now, state, self.model, self.reviews.validation)
                self._explain(course)

        rows = self.reviews.train
        with interrupts.noted() as stop:
            states, _ = fitting.fit(
                self.model,
                self.optimizer,
                [course.state for course in way.courses],
                rows,
                epochs=left,
                batch_size=self.recipe.batch(len(rows)),
                progress=tell,
                keeping=way.keeping(stop, ended),
            )
        for course, state in zip(way.courses, states, strict=True):
            course.state = state

    def _explain(self, course: Course) -> None:
        """Where a course diverged, which the first process looks for on its own devices."""
        if processes.is_first():
            course.explain(self._find)

    def _find(self, state: TrainState, step: int) -> Divergence | None:
        rows = self.reviews.train
        found = divergence.find(
            self.model,
            self.optimizer,
            state,
            rows,
            batch_size=self.recipe.batch(len(rows)),
            step=step,
            debug_nans=self.debug_nans,
        )
        rate = found and self.recipe.rate(found.total_step - 1, len(rows))
        return found and msgspec.structs.replace(found, learning_rate=rate)


@dataclasses.dataclass
class _Way:
    """A fit on its way, as its checkpoints have it.

    Attributes:
      courses: trained as one program.
      saver: of their checkpoints.
      fit: those before it.
      start: where it begins.
      before: seconds of training before that.
    """

    courses: Sequence[Course]
    saver: last.Saver
    fit: int
    start: Position
    before: float
    started: float = dataclasses.field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Of all training so far."""
        return self.before + time.perf_counter() - self.started

    def keeping(self, stop: interrupts.Noted, told: fitting.Ended) -> Keeping:
        """Saves when it is time, and once more where the process is asked to end, which then is.

        Args:
          stop: whether it is asked to.
          told: of each epoch as it ends.
        """

        def due(step: int, ended: bool) -> bool:
            return self.saver.due(step, ended) or stop.asked

        def save(states: list[TrainState], at: Position) -> None:
            bests = [course.best for course in self.courses if course.best]
            self.saver.save([*states, *bests], self._last(at))
            if stop.asked:
                self.saver.wait()
                stop.now()

        def begin(states: list[TrainState], at: Position) -> None:
            for course, state in zip(self.courses, states, strict=True):
                course.starting(state, at.step)

        return Keeping(due, save, self.start, begin if processes.is_first() else None, told)

    def _last(self, at: Position) -> Last:
        return Last(
            seeds=tuple(course.kept for course in self.courses),
            states=last.states_name(at),
            fit=self.fit,
            epoch=at.epoch,
            step=at.step,
            sums=at.sums,
            epoch_seconds=at.seconds,
            seconds=self.seconds,
            machine=last.machine(),
        )


def _plain(config: Config) -> bytes:
    return msgspec.json.encode(config)

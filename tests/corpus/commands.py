"""Options and texts that cannot be meant."""

from corpus.bad import Bad, nothing


def options(script: str, *pairs: tuple[str, str]) -> tuple[Bad, ...]:
    """Command lines of a script and what it says to each."""
    return tuple(
        Bad(f"{script} {given}"[:70], nothing, says, f"experiments.{script} {given}")
        for given, says in pairs
    )


_TRAINING = (
    ("--data toy --run ''", "The value of --run is empty"),
    ("--data toy --run=", "The value of --run is empty"),
    ("--data toy --out ''", "The value of --out is empty"),
    ("--data toy --seeds 0 0", "names one value twice"),
    ("--data toy --seeds -1", "0 or above"),
    ("--data toy --seeds 0 4294967296", "below 2,147,483,648"),
    (f"--data toy --seeds {10**30}", "below 2,147,483,648"),
    ("--data toy --learning-rate inf", "learning_rate"),
    ("--data toy --learning-rate nan", "learning_rate"),
    ("--data toy --out tiny.toml", "is no folder"),
    ("--data toy --run tiny.toml", "is no folder"),
    ("--data toy --cell-options leak", "expected NAME=VALUE"),
    ("--data toy --num-words 2", "leaves no words"),
    (f"--data toy --num-words {10**9}", "beyond any vocabulary"),
    (f"--data toy --maxlen {10**9}", "beyond any review"),
    ("--data toy --validation 2", "is no share"),
    ("--data toy --archive tiny.toml", "--archive is not read for toy reviews"),
    ("--data toy --word-index tiny.toml", "--word-index is not read for toy reviews"),
    ("--data imdb --archive nowhere.tar", "There is no file"),
    ("--redraw nowhere", "Give the folder of a finished"),
    ("--redraw run --archive tiny.toml", "leave out --archive."),
    (
        "--redraw run --processes 2 --process 0 --coordinator localhost:1",
        "leave out --processes.",
    ),
    ("--redraw run --epochs 3 --seeds 1", "leave out --seeds, --epochs."),
)
TRAINING = options("compare", *_TRAINING) + options("claims", *_TRAINING)

REPEATING = options(
    "compare",
    ("--from ''", "The value of --from is empty"),
    ("--form run", "did you mean --from?"),
    ("--from", "--from needs a value"),
    ("--from nowhere", "no finished model"),
    ("--from tiny.toml", "no finished model"),
    ("--from run --run run", "--from and --run name one folder"),
    ("--from run --run ../here/run", "--from and --run name one folder"),
    ("--from run --out tiny.toml", "is no folder"),
    ("--from run --seeds 1 --data toy", "leave out --data, --seeds."),
    ("--from run --epochs 3 --cell gru", "leave out --cell, --epochs."),
    ("--from run --redraw run", "leave out --redraw."),
    ("--from run --from-cells a:B", "no model of run has the cell a:B"),
    ("--from run --archive tiny.toml", "--archive is not read for toy reviews"),
    ("--data toy --from-cells a:B", "--from-cells is for --from FOLDER"),
)

READING = (
    *options(
        "inspect",
        ("run --text ''", "is empty"),
        ("run --text zzz", "No known word"),
        ("run --text good --out ''", "The value of --out is empty"),
        ("run --text good --out .", "is a folder"),
        ("run --text good --out no/such/place.html", "Cannot write"),
        ("run --text good --recipes ''", "is empty"),
        ("run --text good --recipes /etc", "no finished recipe /etc"),
        ("run --text good --recipes '*'", "no finished recipe *"),
        ("run --text good --recipes ../run/tiny", "no finished recipe ../run/tiny"),
        (f"run --review {10**30}", "test reviews 0 to 255"),
        ("run --review -1", "test reviews 0 to 255"),
        ("nowhere --text good", "no finished model"),
    ),
    *options(
        "predict",
        ("''", "is empty"),
        ("'  ' --run run", "No known word"),
        ("'\x01\x1b[31m\udcff' --run run", "No known word"),
        (f"{'zzz' * 10_000} --run run", "No known word"),
        ("good --run ''", "The value of --run is empty"),
        ("good --run nowhere", "no finished model"),
        ("good --run tiny.toml", "no finished model"),
    ),
    *options(
        "evaluate",
        ("''", "is empty"),
        ("nowhere", "no finished model"),
        ("run --archive tiny.toml", "--archive is not read for toy reviews"),
    ),
)

BENCHMARK = options(
    "benchmark",
    ("--data toy --seconds inf", "--seconds is inf"),
    ("--data toy --seconds nan", "--seconds is nan"),
    ("--data toy --rounds 0", "--rounds is 0"),
    ("--data toy --cells ''", "is empty"),
    ("--data toy --cells nonsense", "no cell 'nonsense'"),
    ("--redraw nowhere", "benchmark.json cannot be read"),
    ("--redraw run --data toy", "leave out --data."),
)

OTHERS = (
    *options(
        "probe",
        ("--tasks nonsense", "expected one of adding"),
        ("--seeds 0 0", "names one value twice"),
        ("--recipes nonsense", "There is no recipe nonsense"),
        ("--cells nonsense", "no cell 'nonsense'"),
        ("--out tiny.toml", "is no folder"),
        ("--run tiny.toml", "is no folder"),
        ("--redraw nowhere", "nowhere/record.json cannot be read"),
        ("--redraw run --seeds 3", "leave out --seeds."),
    ),
    *options(
        "sweep",
        ("", "Give a sweep's TOML file, or --redraw"),
        ("tiny.toml --redraw run", "Give a sweep's TOML file, or --redraw"),
        ("tiny.toml --validation 0", "must be above 0"),
        ("tiny.toml --scheduler ''", "The value of --scheduler is empty"),
        ("tiny.toml --scheduler local:x", "--scheduler"),
        ("--redraw nowhere", "record.json cannot be read"),
        ("--redraw run --word-index tiny.toml", "leave out --word-index."),
    ),
    *options(
        "convert",
        ("run", "PATH is missing"),
        ("nowhere out.keras", "nowhere"),
        ("run/tiny/seed-0 out.pkl", "out.pkl"),
        ("run/tiny/seed-0 no/such/out.keras", "out.keras"),
        ("run/tiny/seed-0 out.keras --recipe nonsense", "leave out --recipe"),
        ("run/tiny/seed-0 tiny.toml", "tiny.toml"),
    ),
)

from rnnsent.benchmark.record import Measured, Record, Result, Settings, Work, failures
from rnnsent.runs.records import Device, Provenance

WORK = Work({"cell": "lstm"}, batch=8, steps=4, masked=False, seeds=1)
DATA = {"source": "toy", "title": "t", "test_title": "tt", "train": 1, "test": 1}
DATA |= {"vocabulary": "v", "num_words": 9, "maxlen": 4, "padding": "pre", "truncating": "pre"}
HERE = {"versions": {}, "device": Device("cpu", "x", 1), "git": None, "command": "", "started": ""}
MADE = Provenance(data=DATA, **HERE)


def test_a_case_on_which_nothing_was_measured_is_a_failure():
    skipped = Result("skipped", "keras is not installed")
    cases = [
        Measured("peers", None, "both", WORK, {"a": Result("measured"), "b": skipped}),
        Measured("peers", None, "none", WORK, {"b": skipped}),
        Measured("peers", None, "nobody", WORK, failed="no reference"),
    ]
    assert failures(Record(origin=MADE, settings=Settings(1, 1.0), cases=cases)) == [
        "Nothing was measured on none: keras is not installed",
        "nobody: no reference",
    ]

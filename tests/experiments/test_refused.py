"""What is refused before anything is loaded or written."""

import pytest
from scripts import refused

from rnnsent import config


@pytest.mark.parametrize("script", ["compare", "claims"])
@pytest.mark.parametrize(
    "fields, message",
    [
        ('cell = "my_missing:Cell"', "no cell 'my_missing:Cell'"),
        ('cell = "lstm"\ncell_options = {leak = 1}', "lstm has no option leak"),
        ('cell = "guests:MinimalCell"\nrecurrent_dropout = 0.1', "h_BH"),
        ('cell = "lstm"\nrecurrent_init = "identity"', "square"),
        ('cell = "lstm"\nresidual = true', "features are (128, 64)"),
        ('cell = "guests:LoopingCell"\ncompute = "bfloat16"', "product inside of scan"),
    ],
)
def test_a_recipe_that_cannot_be_trained_leaves_nothing(
    script, fields, message, tmp_path, monkeypatch, capsys
):
    def loaded(*arguments, **options):
        raise AssertionError("no data is needed to refuse it")

    monkeypatch.setattr(config, "load", loaded)
    (tmp_path / "mine.toml").write_text(fields)
    command = f"experiments.{script} --data toy --recipes mine.toml"
    said = refused(command, tmp_path, monkeypatch, capsys)
    assert message in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]

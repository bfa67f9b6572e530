import pytest


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(text, name="my.toml"):
        (tmp_path / name).write_text(text)
        return name

    return written

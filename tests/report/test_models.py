from compare import made

from rnnsent import notebook
from rnnsent.report import markdown, models
from rnnsent.report.blocks import plain


def test_recipes_with_the_same_layers_share_a_table_beside_the_notebooks_counts():
    text = markdown.render(list(models.layers(made.default())))
    assert "160,000" in text and f"{notebook.PARAMS['lstm']:,}" in text


def test_what_recipes_differ_in_is_tabled_and_nothing_else():
    a, b = made.entrant("a", clip=1.0), made.entrant("b", clip=0.0)
    (_, table) = models.differences(made.of(a, b))
    assert [plain(row[0]) for row in table.rows] == ["cell", "clip"]
    assert [plain(cell) for cell in table.rows[1]] == ["clip", "1", "0"]

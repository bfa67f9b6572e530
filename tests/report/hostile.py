"""Blocks with a hostile text in every place a text can stand."""

from rnnsent.report import blocks, cards

HOSTILE = (
    "![x](/etc/passwd) [click](http://evil.example/) <script>alert(1)</script> "
    "<img src=x onerror='hurt()'> [red]a[/red] :smile: **b** `c` a|b \\| "
    "www.evil.example &amp; $\\x^{$ #"
)


def card(text: str = HOSTILE, number: int = 1) -> cards.Card:
    word = cards.Word(text, f'{text}" onload="x', "more", 0.5)
    model = cards.Model(text, "first", text, [word], "30,60", text)
    return cards.Card(number, text, text, [model], text, text)


def report(text: str = HOSTILE) -> list[blocks.Block]:
    parts = [text, " and ", blocks.Strong(text), " and ", blocks.Code(text)]
    table = blocks.Table([text, *parts[2:4]], [[text, parts, blocks.Code(text)]])
    return [
        blocks.Heading(1, text),
        blocks.Heading(2, parts),
        blocks.Paragraph(text),
        blocks.Paragraph(parts),
        blocks.Note(parts),
        blocks.Items([text, parts]),
        blocks.Items([text], numbered=True),
        table,
        blocks.Figure("figures/none.png", text),
        blocks.Cards([card(text)], [blocks.Paragraph(text), table]),
    ]

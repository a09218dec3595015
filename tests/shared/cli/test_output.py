"""What a model writes can do nothing to the terminal it is shown on."""

import pytest
from rich.console import Console

from lab.cli import output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\a", r"\x1b[31mred\x1b]0;title\x07"),
        ("over\rwritten\b\x7f", r"over\rwritten\x08\x7f"),
        ("\x9b31m, the same in one byte", r"\x9b31m, the same in one byte"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", r"a\u202egnp.exe"),
        ("<b>two\n\tlines</b>\N{NO-BREAK SPACE}\N{SNOWMAN}", None),
        ("\N{MAN}\N{ZERO WIDTH JOINER}\N{COOKING} \N{HEBREW LETTER ALEF}", None),
    ],
)
def test_what_steers_a_terminal_is_shown_and_not_done(text: str, shown: str | None) -> None:
    assert output.plain(text) == (text if shown is None else shown)


def test_tables_show_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "answers", Console(markup=False, width=80))
        output.table(["token \x1b[2J"], [["\x1b[2J"], ["two\nlines"]])
        output.pairs([("text", "\x1b[2J")])
    shown = capsys.readouterr().out
    assert shown.count(r"\x1b[2J") == 3
    assert "two↵lines" in shown
    assert "\x1b" not in shown

"""What others have written is shown and does nothing: in a terminal, GitHub's log, Markdown, XML and HTML."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as hs

from gradcheck.cli import main
from gradcheck.plugin.github import annotation_lines
from gradcheck.rendering.markdown import code_span
from gradcheck.support.outgoing import for_github, for_html, for_markdown, for_terminal, for_xml, markdown_words

HOSTILE = [
    "\x1b[2Jgone",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x9b2J",
    "PASS\rFAIL",
    "a\x00b",
    "a\u202eb\u2066c",
    "a\u2028b\x85c\x0bd",
    "\ud800",
    "\u200b\ufeff\U000e0041",
]
ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\u2028\u2029\ufeff]"
)
COMMANDS = [
    "::error file=x::y",
    "  ::set-env name=PATH::/tmp",
    "fine\n::stop-commands::x",
    "\t::warning::",
    "a ##[error]b",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("out", [for_terminal, for_github, for_markdown, markdown_words, for_xml, for_html, code_span])
def test_characters_that_act_are_shown(out, text: str) -> None:
    shown = out(f"before {text} after")
    assert not ACTING.search(shown)
    assert "before" in shown
    assert "after" in shown


@pytest.mark.parametrize("text", COMMANDS)
def test_no_line_is_a_command_of_github_s(text: str) -> None:
    shown = for_terminal(text)
    assert "##[" not in shown
    assert not any(line.strip().startswith("::") for line in shown.splitlines())
    assert for_terminal(shown) == shown


@given(hs.text())
def test_any_text(text: str) -> None:
    shown = for_terminal(text)
    assert not ACTING.search(shown)
    assert for_terminal(shown) == shown
    assert "\n" not in for_github(text)
    ElementTree.fromstring(f"<a>{for_xml(text).replace('&', '').replace('<', '')}</a>")


@pytest.mark.parametrize("text", ["gru [batch, 3]: a::b, 1.5e-3", "äöü → 漢字 🙂\n\tindented", "test.py::test[xla]"])
def test_ordinary_text_stays(text: str) -> None:
    assert for_terminal(text) == text


def test_an_annotation_is_one_command() -> None:
    cell = {"ok": False, "verdict": "MISMATCH", "cause": "x\n::set-env name=A::b\r\x1b[0m"}
    row = {"modes": {"eager": cell}, "arguments": "", "subject": "f,title=g::h", "file": "a\n::error::.py", "line": 3}
    (line,) = annotation_lines([row], Path())
    assert "\n" not in line
    assert not ACTING.search(line)
    assert re.fullmatch(r"::error file=[^,]*,line=3,title=[^,]*::.*", line)


def test_a_hostile_file_is_shown_in_every_format(tmp_path: Path) -> None:
    name = "".join(HOSTILE[:-2]) + "\n::error::x | <script>alert(1)</script> `"
    mode = {"verdict": "MISMATCH", "cause": name, "ok": False, "notes": [name]}
    result = {"schema": 1, "kind": "report", "subject": name, "ok": False, "arguments": name, "wrt": "all"}
    result |= {"modes": {"eager": mode}, "versions": {"tensorflow": f"2.8.4{name}"}, "scripts": {}, "evidence": {}}
    (tmp_path / "r.json").write_text(json.dumps(result))
    files = {"--html": tmp_path / "r.html", "--markdown": tmp_path / "r.md"}
    done = CliRunner().invoke(
        main, ["report", str(tmp_path / "r.json"), *(str(part) for pair in files.items() for part in pair)]
    )
    assert done.exit_code == 1, done.output
    texts = [done.output, done.stderr, *(path.read_text(encoding="utf-8") for path in files.values() if path.exists())]
    for text in texts:
        assert not ACTING.search(text.replace("\n", ""))
    assert not re.search(r"^\s*::", done.output, re.MULTILINE)
    assert "<script>alert" not in files["--html"].read_text(encoding="utf-8")
    # In Markdown it is code, or has lost its bracket.
    prose = re.sub(r"`[^`\n]*`", "", re.sub(r"```python\n.*?```", "", files["--markdown"].read_text(), flags=re.DOTALL))
    assert "<script>alert" not in prose

"""Does what a page of the documentation says, from top to bottom, in the current folder: ``run_page.py PAGE``.

- A block ``python title="layers.py"`` is written to that file. Other blocks of Python run, one after the other in one
  namespace, and a ``text`` block right after one is what it prints.
- In a ``console`` block, lines after ``$`` are commands (``pytest``, ``gradcheck``, ``python FILE``), the others what
  they print; ``…`` stands for what is left out. Commands run in this process: TensorFlow is imported once.

Prints what differs, and exits with the number of differences.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import sys
from pathlib import Path

BLOCK = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Language, the rest of the opening line, and the text of every block."""
    found = []
    for indent, language, rest, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        found.append((language, rest.strip(), re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)))
    return found


def normal(text: str) -> str:
    """The text without what differs between machines and versions."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    text = re.sub(r"in \d+\.\d+s( \(.*?\))?", "in …s", text)
    text = re.sub(r"(checked with +).*", r"\1…", text)
    text = re.sub(
        r"(detection limit: an error of )\S+( of the gradient's size)( \(median; worst \S+\))?", r"\1…\2", text
    )
    text = re.sub(r"^[=_!]+ (.*?) [=_!]+$", r"\1", text, flags=re.MULTILINE)  # pytest's lines across the terminal
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def agrees(wanted: str, shown: str) -> bool:
    pattern = ""
    for line in normal(wanted).splitlines():
        pattern += r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line).replace("…", ".*?") + r"\n"
    return re.fullmatch(pattern, normal(shown) + "\n") is not None


def forget(before: set[str]) -> None:
    """Drop the modules of the page's files: a command would be a process of its own."""
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(os.getcwd()):
            del sys.modules[name]


def command(line: str) -> str:
    """What a command prints."""
    name, *arguments = shlex.split(line)
    before, path = set(sys.modules), list(sys.path)
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), contextlib.suppress(SystemExit):
        if name == "pytest":
            import pytest

            # Run in one process, the plugin is there before pytest can rewrite it; a command of its own never says so.
            pytest.main([*arguments, "-W", "ignore::pytest.PytestAssertRewriteWarning"])
        elif name == "gradcheck":
            from gradcheck.cli import main

            main(arguments, prog_name="gradcheck")
        elif name == "python":
            runpy.run_path(arguments[0], run_name="__main__")
        elif name == "cat":
            output.write(Path(arguments[0]).read_text(encoding="utf-8"))
        else:
            raise ValueError(f"no such command here: {name}")
    forget(before)
    sys.path[:] = path
    return output.getvalue()


def run(page: Path) -> list[str]:
    """Follow the page; what did not come out as it says."""
    wrong = []
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = None
    for number, (language, rest, text) in enumerate(blocks(page)):
        previous, printed = printed, None
        if language == "python":
            if title := re.search(r'title="([^"]+)"', rest):
                Path(title[1]).write_text(text, encoding="utf-8")
                continue
            source = Path(f"{page.stem}-{number}.py")  # AutoGraph and the scripts of failures look for the source
            source.write_text(text, encoding="utf-8")
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, str(source.resolve()), "exec"), namespace)
            printed = output.getvalue()
        elif language == "text" and previous is not None and not agrees(text, previous):
            wrong.append(f"{page.name} shows\n{text}\nand what is printed is\n{previous}")
        elif language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, wanted = part.partition("\n")
                shown = command(line)
                if not agrees(wanted, shown):
                    wrong.append(f"{page.name} shows for `{line}`\n{wanted}\nand what comes is\n{shown}")
    return wrong


if __name__ == "__main__":
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # the folder's own: none above it is looked for
    sys.path.insert(0, os.getcwd())
    failures = [difference for name in sys.argv[1:] for difference in run(Path(name))]
    print("\n\n".join(failures))
    sys.exit(len(failures))

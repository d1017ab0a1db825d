"""An upgrade in the terminal: the answer, and what it rests on, group by group."""

from __future__ import annotations

from gradcheck.rendering.layout import paragraph
from gradcheck.results.upgrade import Upgrade

__all__ = ["render_upgrade"]


def render_upgrade(upgrade: Upgrade) -> str:
    """Plain ASCII lines, as terminals of every encoding show them; without a final line break."""
    lines = [f"Upgrade from TensorFlow {upgrade.before} to {upgrade.after}:", *paragraph(upgrade.sentence)]
    if upgrade.compared:
        for what, count, changes in upgrade.named:
            lines.append(f"  {what.value}: {count}")
            lines += [f"    {one.subject}, {', '.join(one.modes)}: {one.words('->')}" for one in changes]
    return "\n".join(lines)

"""``docs/findings.md``, made from measured results: ``python -m gradcheck.zoo.document``.

``--check`` fails where the page is not what the measurements say now, ``--write`` writes it. What the page needs of a
measurement is kept in ``docs/measurements``, one file for each TensorFlow and Keras; ``--write FILE…`` takes files that
``gradcheck zoo --json`` and ``python -m gradcheck.zoo.scripts --json`` wrote into it first. Needs no TensorFlow.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError
from gradcheck.mode_names import MODES
from gradcheck.releases.names import version_key
from gradcheck.releases.table import RELEASES, find_release, minor_of
from gradcheck.results.history import runs
from gradcheck.support.files import read_json
from gradcheck.support.generated_pages import page_command
from gradcheck.verdicts import Verdict
from gradcheck.zoo.catalog import available, catalog
from gradcheck.zoo.known import KNOWN, Known, known_for
from gradcheck.zoo.upgrades import UPGRADES

__all__ = ["keep_measurement", "main", "read_measurements", "render_page"]

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "findings.md"
_MEASUREMENTS = _ROOT / "docs" / "measurements"
_SCRIPTS = _ROOT / "docs" / "findings"


@dataclass(frozen=True)
class Measurement:
    """What was measured on one TensorFlow with one Keras.

    Attributes:
        tensorflow, keras: versions.
        examples: batches tried on each subject in each mode; 0 where only the scripts ran.
        cells: verdict, cause and smallest batch by subject and mode.
        scripts: what each script of ``docs/findings`` came to, by its stem.
        resolutions: by subject, the smallest relative error of a gradient that would have been seen in every mode
            that passed, as a power of ten; empty where it was not kept.
    """

    tensorflow: str
    keras: str
    examples: int
    cells: Mapping[tuple[str, str], tuple[Verdict, str, str]]
    scripts: Mapping[str, str]
    resolutions: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Such as ``2.8``, or ``2.21 with Keras 2`` where that is not the Keras that it comes with."""
        return label_of(self.tensorflow, self.keras)


def label_of(tensorflow: str, keras: str) -> str:
    """How the page names a TensorFlow with a Keras."""
    minor = ".".join(map(str, minor_of(tensorflow)))
    release = find_release(tensorflow)
    generation = int(keras.split(".")[0])
    return minor if release is None or release.keras == generation else f"{minor} with Keras {generation}"


def keep_measurement(path: Path, folder: Path) -> Path:
    """Store what the page needs of a file of ``gradcheck zoo`` or of the scripts; returns where.

    Left out is what differs from run to run and machine to machine. A run of some subjects (``--only``), or of some
    scripts, adds to what is there of the same version.

    Raises:
        InputError: where the file is damaged or was interrupted.
    """
    data = _json(path)
    if data.get("kind") not in ("zoo", "scripts") or data.get("interrupted"):
        raise InputError(f"{path}: is not a whole run of `gradcheck zoo` or of `python -m gradcheck.zoo.scripts`")
    versions = {name: data["versions"][name] for name in ("tensorflow", "keras")}
    target = folder / f"{label_of(**versions).replace(' with Keras ', '-keras')}.json"
    target = target.with_name(f"{data['kind']}-{target.name}")
    kept: dict[str, Any] = {"kind": data["kind"], "versions": versions}
    before = _json(target) if target.is_file() else {"scripts": {}, "results": {}, "examples": data.get("max_examples")}
    if data["kind"] == "scripts":
        outcomes = {name: found["outcome"] for name, found in data["scripts"].items()}
        kept["scripts"] = dict(sorted({**before["scripts"], **outcomes}.items()))
    else:
        found = {
            result["name"]: {mode: _kept(cell) for mode, cell in result["modes"].items()} for result in data["results"]
        }
        together = {**before["results"], **found}
        order = [exhibit.name for exhibit in catalog()]
        # Of several runs the one with the fewest batches says how hard it was looked.
        others = set(before["results"]) - set(found)
        kept["examples"] = min([data["max_examples"], *([before["examples"]] if others else [])])
        kept["results"] = {name: together[name] for name in sorted(together, key=order.index)}
        seen = {result["name"]: _resolution(result["modes"].values()) for result in data["results"]}
        resolutions = {**before.get("resolutions", {}), **seen}
        kept["resolutions"] = {name: resolutions[name] for name in kept["results"] if resolutions.get(name)}
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def _kept(cell: Mapping[str, Any]) -> str | list[str]:
    if not Verdict[cell["verdict"]].fails:
        return str(cell["verdict"])
    cause = re.sub(r" \(\w+\.py:\d+, in \w+\)", "", cell["cause"])
    return [cell["verdict"], cause, " ".join(cell["arguments"].split())]


def _resolution(cells: Iterable[Mapping[str, Any]]) -> float | None:
    """The coarsest of the modes that passed, rounded up to a power of ten: its digits differ from run to run."""
    passed = (Verdict.PASS.value, Verdict.KINK.value)
    seen = [float(cell["resolution"]) for cell in cells if cell["verdict"] in passed and cell.get("resolution")]
    coarsest = max(seen, default=math.inf)
    return float(f"1e{math.ceil(math.log10(coarsest))}") if math.isfinite(coarsest) else None


def _json(path: Path) -> dict[str, Any]:
    found = read_json(path, "give files that a session wrote to results/")
    if not isinstance(found, dict) or not isinstance(found.get("versions"), dict):
        raise InputError(f"{path}: holds no results of gradcheck")
    return found


def read_measurements(folder: Path) -> list[Measurement]:
    """The measurements in a folder, oldest TensorFlow first, Keras 3 before Keras 2.

    Raises:
        InputError: where there are none, or one is damaged or holds a failure that nothing explains.
    """
    searched = {_key(data): data for data in map(_json, sorted(folder.glob("zoo-*.json")))}
    scripts = {_key(data): data["scripts"] for data in map(_json, sorted(folder.glob("scripts-*.json")))}
    if not searched:
        raise InputError(
            f"{folder}: has no zoo-*.json; make one with `gradcheck zoo --json FILE` and "
            "`python -m gradcheck.zoo.document --write FILE`"
        )
    found = []
    for tensorflow, keras in sorted({*searched, *scripts}, key=lambda key: (version_key(key[0]), key[1] < "3", key[1])):
        data = searched.get((tensorflow, keras), {"examples": 0, "results": {}})
        cells = {
            (subject, mode): _cell(cell) for subject, modes in data["results"].items() for mode, cell in modes.items()
        }
        shown, resolutions = scripts.get((tensorflow, keras), {}), data.get("resolutions", {})
        found.append(Measurement(tensorflow, keras, data["examples"], cells, shown, resolutions))
        _all_explained(found[-1])
    return found


def _key(data: Mapping[str, Any]) -> tuple[str, str]:
    return str(data["versions"]["tensorflow"]), str(data["versions"]["keras"])


def _cell(cell: Any) -> tuple[Verdict, str, str]:
    verdict, cause, arguments = (cell, "", "") if isinstance(cell, str) else cell
    return Verdict[verdict], cause, arguments


def _missing(measured: Measurement) -> list[str]:
    """The subjects that there are on this version and that were not measured on it."""
    only_keras = "Keras" in measured.label
    return [
        exhibit.name
        for exhibit in catalog()
        if available(exhibit, measured.tensorflow, measured.keras)
        and (exhibit.of_keras or not only_keras)
        and any((exhibit.name, mode) not in measured.cells for mode in exhibit.modes)
    ]


def _all_explained(measured: Measurement) -> None:
    """Raises where a failure is not explained: the page would hide it."""
    for (subject, mode), (verdict, cause, _) in measured.cells.items():
        if verdict.fails and verdict not in _explained(subject, mode, measured):
            raise InputError(
                f"{subject} in mode {mode} on TensorFlow {measured.label} was measured as {verdict.value} ({cause}), "
                "which nothing in gradcheck/zoo/known.py explains. Look at it by hand, and settle that first"
            )


def _explained(subject: str, mode: str, measured: Measurement) -> set[Verdict]:
    versions = measured.tensorflow, measured.keras
    return {v for known in known_for(subject, mode, *versions) for v in known.verdicts(subject, mode, *versions)}


def render_page(measurements: Sequence[Measurement], scripts: Path | None = None) -> str:
    """The page for these measurements, in Markdown."""
    searched = [measured for measured in measurements if measured.cells]
    bugs = [known for known in KNOWN if not known.is_limit]
    scripts = scripts or _SCRIPTS
    parts = [
        _introduction(measurements, bugs),
        _summary(bugs, measurements),
        _upgrades(measurements),
        "## The findings\n",
        *(_finding(known, measurements, scripts) for known in bugs),
        _limits(searched),
        _again(),
    ]
    return "\n".join(parts)


def _introduction(measurements: Sequence[Measurement], bugs: Sequence[Known]) -> str:
    searched = [measured for measured in measurements if measured.cells]
    ran = [measured.label for measured in measurements if measured.scripts]
    every = {release.minor for release in RELEASES} <= set(ran)
    where = "the newest patch of every minor release from 2.8 on" if every else _words(ran)
    lines = [
        "| TensorFlow | Keras | subjects | batches for each subject and mode | not measured |",
        "|---|---|---|---|---|",
    ]
    for measured in searched:
        subjects = len({subject for subject, _ in measured.cells})
        missing = _missing(measured)
        families = dict.fromkeys(name.split("/")[0] for name in missing)
        left = f"{len(missing)}: {', '.join(families)}" if missing else "none"
        lines.append(f"| {measured.tensorflow} | {measured.keras} | {subjects} | {measured.examples} | {left} |")
    return f"""\
# Findings: gradients of TensorFlow and Keras that are wrong

<!-- Generated by `python -m gradcheck.zoo.document --write` from docs/measurements. Do not edit. -->

`gradcheck zoo` searches {len(catalog())} subjects that nobody here wrote: the layers of Keras that take sequences or
masks, losses with weights, and TensorFlow's own operations on sequences; in eager mode, in `tf.function` with static
and with unknown shapes, and under XLA, with respect to inputs and weights. All of it on CPUs (x86-64, tensorflow-cpu):
kernels of other devices are other programs.

What failed was looked at by hand. A failure stands here only where a script shows it with plain TensorFlow and NumPy,
without gradcheck. Each script was run on {where}; the versions below are those
on which *the script* shows the failure. {len(bugs)} findings came of it. Searched were:

{chr(10).join(lines)}
"""


def _summary(bugs: Sequence[Known], measurements: Sequence[Measurement]) -> str:
    lines = ["| finding | whose | met in | shows on |", "|---|---|---|---|"]
    for known in bugs:
        modes = [mode for mode in MODES if any(mode in where.modes for where in known.where)]
        where = "every mode" if len(modes) == len(MODES) else ", ".join(modes)
        title = f"[{_plain(known.title)}](#{known.key})"
        lines.append(f"| {title} | {known.owner} | {where} | {_shown_on(known, measurements)} |")
    return "\n".join(lines) + "\n"


def _shown_on(known: Known, measurements: Sequence[Measurement]) -> str:
    """The versions on which the script shows the finding, such as ``2.8 to 2.15``."""
    ran = [m for m in measurements if m.scripts.get(known.key, "cannot run") != "cannot run"]
    shows = [m.label for m in ran if m.scripts[known.key] in ("shows", "aborts")]
    own = [label for label in shows if "Keras" not in label]
    keras2 = [label for label in shows if "Keras" in label]
    order = [m.label for m in ran if "Keras" not in m.label]
    text = _ranges(own, order)
    if keras2 and known.owner == "Keras":
        both = len(keras2) == sum("Keras" in m.label for m in ran)
        text += f"; with tf_keras: {'every version' if both else _words(keras2)}"
    return text


def _ranges(labels: Sequence[str], order: Sequence[str]) -> str:
    if not labels:
        return "none of those measured"
    if len(labels) == len(order):
        return f"every version, {order[0]} to {order[-1]}"
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs(labels, order))


def _finding(known: Known, measurements: Sequence[Measurement], scripts: Path) -> str:
    script = scripts / f"{known.key}.py"
    if not script.is_file():
        raise InputError(f"{script}: the script that shows {known.title!r} by hand is missing")
    source = script.read_text(encoding="utf-8")
    met = _met(known, measurements)
    lines = [
        f"### {_plain(known.title)} {{#{known.key}}}\n",
        f"*{known.owner}'s; shows on {_shown_on(known, measurements)}.*\n",
        f"**What it means.** {known.meaning}\n",
        f"**The way round.** {known.instead}\n",
    ]
    if met:
        subjects: dict[str, list[str]] = {}
        for subject, mode, _, _ in met:
            modes = subjects.setdefault(subject, [])
            if mode not in modes:
                modes.append(mode)
        named = "; ".join(f"`{subject}` in {_mode_names(modes)}" for subject, modes in subjects.items())
        lines.append(f"**Met by the search** in {named}.\n")
        # What is refused does not show a wrong result: such a batch only where there is no other.
        subject, mode, measured, cell = min(
            met, key=lambda one: (one[3][0] is Verdict.UNSUPPORTED, len(one[3][2]) or 10_000, one[0])
        )
        verdict, cause, arguments = cell
        place = f"`{subject}` in mode {mode} on {measured.label}"
        lines.append(f"The smallest batch, of {place}: {verdict.value}, “{_plain(cause)}”.\n")
        if arguments:
            lines.append(f"```python\n{arguments}\n```\n")
    lines.append(f"**By hand**, `docs/findings/{known.key}.py`:\n\n```python\n{source.strip()}\n```\n")
    return "\n".join(lines)


def _met(
    known: Known, measurements: Iterable[Measurement]
) -> list[tuple[str, str, Measurement, tuple[Verdict, str, str]]]:
    return [
        (subject, mode, measured, cell)
        for measured in measurements
        for (subject, mode), cell in measured.cells.items()
        if cell[0] in known.verdicts(subject, mode, measured.tensorflow, measured.keras)
    ]


def _mode_names(modes: Sequence[str]) -> str:
    return "every mode" if len(modes) == len(MODES) else _words(modes)


def _upgrades(measurements: Sequence[Measurement]) -> str:
    lines = [
        "## Upgrade from 2.8: what changes\n",
        "For somebody who must decide. Only what was searched is spoken of here: gradients, outputs that differ "
        "between modes, and padding, on a CPU. Optimizers, saving and loading, distribution and mixed precision were "
        "not.\n",
    ]
    by_label = {measured.label: measured for measured in measurements}
    for upgrade in UPGRADES:
        old, new = by_label.get(upgrade.old), by_label.get(upgrade.new)
        if old is None or new is None:
            raise InputError(f"the upgrade from {upgrade.old} to {upgrade.new} needs both to be measured")
        lines += [f"### From {upgrade.old} to {upgrade.new}\n", f"{upgrade.verdict}\n", f"{_rests_on(old, new)}\n"]
        lines += [f"* {point}" for point in upgrade.points]
        lines += ["", *_changes(old, new)]
    return "\n".join(lines) + "\n"


def _rests_on(old: Measurement, new: Measurement) -> str:
    """How hard it was looked: what "safe" means, in numbers."""
    batches = [str(old.examples), *([str(new.examples)] if new.examples != old.examples else [])]
    of_which = "" if len(batches) == 1 else f" (on {old.label} and {new.label})"
    text = f"This rests on {' and '.join(batches)} batches for each subject and mode{of_which}."
    both = [max(old.resolutions[name], seen) for name, seen in new.resolutions.items() if name in old.resolutions]
    if both:
        both.sort()
        # The smallest number that covers at least so many of the subjects.
        half, most, all_of_them = (both[math.ceil(share * len(both)) - 1] for share in (0.5, 0.9, 1))
        text += (
            f" Where it passes, an error of {_share(half)} of the gradient's size would have been seen in half of the "
            f"{len(both)} subjects, and one of {_share(most)} in nine of ten"
        )
        if all_of_them > most:
            text += f"; in the coarsest, which compute in few digits, one of {_share(all_of_them)}"
        text += "."
    return text


def _share(resolution: float) -> str:
    return f"{resolution:.0e}".replace("e-0", "e-").replace("e+00", "")


def _changes(old: Measurement, new: Measurement) -> list[str]:
    """The cells whose verdict is another one, by what they went from and to."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for (subject, mode), (after, _, _) in new.cells.items():
        before = old.cells.get((subject, mode))
        if before is None or before[0] is after or not (before[0].fails or after.fails):
            continue
        if _not_met(subject, mode, before[0], old) or _not_met(subject, mode, after, new):
            continue  # nothing that changed: a short search did not meet what is known
        groups.setdefault((before[0].value, after.value), {}).setdefault(subject, []).append(mode)
    exhibits = {exhibit.name: exhibit for exhibit in catalog()}
    added = sorted(
        subject
        for subject in {subject for subject, _ in new.cells}
        if subject in exhibits and not available(exhibits[subject], old.tensorflow, old.keras)
    )
    both = [(old.cells[key][0], cell[0]) for key, cell in new.cells.items() if key in old.cells]
    if not both:
        return ["No subject was searched on both yet; the above rests on the scripts.\n"]
    same = sum(before is after for before, after in both)
    lines = [f"| {old.label} | {new.label} | where |", "|---|---|---|"]
    for (was, now), subjects in sorted(groups.items()):
        where = "; ".join(f"`{subject}` ({', '.join(modes)})" for subject, modes in subjects.items())
        lines.append(f"| {was} | {now} | {where} |")
    lines.append("")
    tail = f"{len(both)} verdicts were measured on both, {same} of them are the same."
    if added:
        tail += (
            f" {len(added)} subjects are not there on {old.label}: {', '.join(f'`{subject}`' for subject in added)}."
        )
    return [*lines, f"{tail}\n"]


def _not_met(subject: str, mode: str, verdict: Verdict, measured: Measurement) -> bool:
    return not verdict.fails and bool(_explained(subject, mode, measured))


def _limits(searched: Sequence[Measurement]) -> str:
    """What a mode cannot run, said loudly by TensorFlow."""
    lines = [
        "## What does not run, and says so\n",
        "TensorFlow raises, with an error that says what is missing. (What is silently wrong beside it has a link.) "
        "Worth knowing before one puts `jit_compile=True` on a train step.\n",
    ]
    order = [measured.label for measured in searched if "Keras" not in measured.label]
    for known in KNOWN:
        if not known.is_limit:
            continue
        met: dict[str, list[str]] = {}
        for subject, _, measured, _ in _met(known, searched):
            if measured.label in order and measured.label not in met.setdefault(subject, []):
                met[subject].append(measured.label)
        if not met:
            continue
        by_versions: dict[str, list[str]] = {}
        for subject, labels in met.items():
            by_versions.setdefault(_ranges(labels, order), []).append(f"`{subject}`")
        where = "; ".join(f"{', '.join(subjects)} ({versions})" for versions, subjects in by_versions.items())
        lines.append(f"* **{_plain(known.title)}.** {known.meaning} {known.instead} {where}.")
    return "\n".join(lines) + "\n"


def _again() -> str:
    return """\
## Measure again

```console
$ nox -t versions -- --search all   # every TensorFlow, both Keras; results/ holds what was found
$ nox -s tf28 tf215 tf221 -- --search zoo --examples 30   # a longer search on some
$ python -m gradcheck.zoo.document --write results/zoo-*.json results/scripts-*.json   # this page
```
"""


def _words(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; an exit status."""
    return page_command(
        arguments,
        module="gradcheck.zoo.document",
        doc=__doc__,
        page=_PAGE,
        why="the measurements, the scripts or what is known have changed",
        render=lambda folder: render_page(read_measurements(folder)),
        measurements=_MEASUREMENTS,
        keep=keep_measurement,
    )


if __name__ == "__main__":
    sys.exit(main())

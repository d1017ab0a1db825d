"""Running the zoo: every subject in every mode in isolated workers, each verdict compared with what is known.

What ``gradcheck zoo`` and the version sessions call.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError
from gradcheck.isolation import Journal
from gradcheck.isolation.searches import SearchOutcome, SearchTask, run_searches
from gradcheck.mode_names import parse_modes
from gradcheck.records.results import ModeResult
from gradcheck.releases.table import find_release
from gradcheck.results.collection import BundledResult
from gradcheck.support.files import file_stem, write_json
from gradcheck.verdicts import Verdict
from gradcheck.zoo.catalog import Exhibit, available, catalog, narrowed
from gradcheck.zoo.known import Known, known_for

__all__ = ["DEFAULT_EXAMPLES", "LONG_SEARCH", "ZooCell", "ZooResult", "run_zoo"]

#: A short search, which a version session makes of every subject.
DEFAULT_EXAMPLES = 4

#: From so many examples on, a known failure that is not met has gone; a shorter search may have missed it. So what is
#: known to fail is searched for that long, unless another number was asked for, and not taken for fixed by mistake.
LONG_SEARCH = 25


@dataclass(frozen=True)
class ZooCell:
    """One subject in one mode.

    Attributes:
        exhibit: the subject.
        result: what the search came to.
        known: what is known of it here; empty where it is to pass.
        examples: batches tried before the first failure, or in all.
        arguments: the smallest failing batch as code; empty where nothing failed.
        script: a script that shows the failure with plain TensorFlow; empty where there is none.
        case: the failing example as `gradcheck.cases` writes it; None where there is none.
        evidence: what the pictures of the failure are made from; None where there is none.
    """

    exhibit: Exhibit
    result: ModeResult
    known: tuple[Known, ...]
    examples: int
    arguments: str = ""
    script: str = ""
    case: Mapping[str, Any] | None = None
    evidence: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The subject's name."""
        return self.exhibit.name

    @property
    def missed(self) -> bool:
        """Whether a known failure was not met."""
        return bool(self.known) and not self.result.verdict.fails

    @property
    def ok(self) -> bool:
        """Whether the verdict is no failure, or a known one; a known one that is not met in a long search is not ok."""
        if self.missed:
            return self.examples < LONG_SEARCH
        return not self.result.verdict.fails or self.result.verdict in self.result.expected

    @property
    def judged(self) -> ModeResult:
        """The result as reports show it: a known failure that a short search did not meet makes it undecided."""
        if not (self.missed and self.ok):
            return self.result
        batches = f"{self.examples} batch{'es' * (self.examples != 1)}"
        cause = f"a failure is known here, and was not met in {batches}: {self.known[0].title}"
        return replace(self.result, verdict=Verdict.UNRESOLVED, cause=cause, expected=())

    @property
    def explained_by(self) -> tuple[Known, ...]:
        """What is known here and has this verdict."""
        return tuple(known for known in self.known if self.result.verdict in known.all_verdicts)

    def __str__(self) -> str:
        text = f"{self.exhibit.name} in mode {self.result.mode}: {self.result.verdict.value}"
        if self.result.expected:
            text += f", known as {' or '.join(verdict.value for verdict in self.result.expected)}"
        if self.result.cause:
            text += f"\n    {self.result.cause}"
        if self.arguments:
            text += f"\n    smallest batch: {' '.join(self.arguments.split())}"
        return text


class ZooResult(BundledResult[ZooCell]):
    """All that a run of the zoo found. A verdict is as it should be where it is no failure, or a known one; in a long
    search what is known must be met.
    """

    _kind = "zoo"

    @property
    def legacy_keras(self) -> bool:
        """Whether ``tf.keras`` is not the Keras that this TensorFlow comes with: Keras 2 by ``tf_keras``."""
        release = find_release(self.versions["tensorflow"])
        return release is not None and int(self.versions["keras"].split(".")[0]) != release.keras

    @property
    def missed(self) -> tuple[ZooCell, ...]:
        """The cells of a short search that did not meet what is known."""
        return tuple(cell for cell in self.cells if cell.ok and cell.missed)

    def _row(self, cells: Sequence[ZooCell]) -> dict[str, Any]:
        exhibit = cells[0].exhibit
        return {
            "subject": f"{exhibit.name} (tf_keras)" if self.legacy_keras and exhibit.of_keras else exhibit.name,
            "name": exhibit.name,
            "family": exhibit.family,
            "doc": exhibit.doc,
            "path": exhibit.subject,
            "strategy": exhibit.strategy,
            "ok": all(cell.ok for cell in cells),
            "modes": {cell.result.mode: _mode_document(cell) for cell in cells},
            "arguments": next((cell.arguments for cell in cells if not cell.ok), ""),
        }

    def summary(self) -> str:
        """How it ended, in one line."""
        keras = self.versions.get("keras", "")
        ending = f" on TensorFlow {self.versions['tensorflow']} with Keras {keras}{self._ending()}"
        failing = sum(cell.result.verdict.fails for cell in self.cells)
        if self.ok:
            return f"{len(self.cells)} verdicts, {failing} of them failures that are known{ending}"
        return f"{len(self.deviations)} of {len(self.cells)} verdicts not as known{ending}"


def _mode_document(cell: ZooCell) -> dict[str, Any]:
    return {
        **cell.judged.to_dict(),
        "ok": cell.ok,
        "reason": " ".join(f"{known.title}." for known in cell.explained_by),
        "known": [known.key for known in cell.explained_by],
        "examples": cell.examples,
        "arguments": cell.arguments,
        "script": cell.script,
        "case": None if cell.case is None else dict(cell.case),
        "evidence": None if cell.evidence is None else dict(cell.evidence),
    }


def run_zoo(
    *,
    modes: Sequence[str] | None = None,
    max_examples: int | None = None,
    only: Iterable[str] = (),
    keras_only: bool = False,
    sample: bool = False,
    seed: int = 0,
    workers: int | None = None,
    journal: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ZooResult:
    """Search every subject of the zoo in every mode, in worker processes, and compare with what is known.

    Args:
        modes: modes to run; all four where None. A subject that is not meant for a mode is not run in it.
        max_examples: batches to try on each subject in each mode; where None `DEFAULT_EXAMPLES`, and `LONG_SEARCH` in
            modes in which it is known to fail.
        only: only subjects with one of these texts in their name.
        keras_only: only subjects that are Keras's.
        sample: only the first subject of each family, for a quick look.
        seed: seed of the searches, so that two runs try the same batches.
        workers: worker processes; one for each processor where None. What kills its worker is a ``CRASH``.
        journal: a file in which each finished search is kept. A run with the journal of one that was killed goes on
            where that was, if gradcheck and the versions are still the same.
        progress: called with the name of what was last finished, how many are done, and how many there are.

    A KeyboardInterrupt ends the run and keeps what was found; ``interrupted`` is then True.

    Raises:
        InputError: for an unknown mode, where no subject matches ``only``, or where the journal is in use or is none.
        MissingTensorFlowError: where TensorFlow is not installed.
        RuntimeError: where the harness itself fails on a subject, with its traceback.
    """
    from gradcheck._tensorflow import versions

    chosen_modes = parse_modes(modes)
    installed = versions()
    exhibits = _chosen(tuple(only), keras_only, installed)
    if sample:
        exhibits = list({exhibit.family: exhibit for exhibit in reversed(exhibits)}.values())[::-1]
    tasks = {exhibit: list(_tasks(exhibit, chosen_modes, max_examples, seed, installed)) for exhibit in exhibits}
    tasks = {exhibit: searches for exhibit, searches in tasks.items() if searches}
    by_name = {exhibit.name: exhibit for exhibit in tasks}
    report = progress or (lambda name, done, total: None)
    started = time.perf_counter()
    found: dict[Exhibit, dict[str, ZooCell]] = {exhibit: {} for exhibit in tasks}
    interrupted = False
    report("starting TensorFlow", 0, len(tasks))
    with contextlib.ExitStack() as stack:
        kept = None if journal is None else stack.enter_context(Journal(journal))
        searches = [task for each in tasks.values() for task in each]
        resumed = 0 if kept is None else sum(task.key in kept for task in searches)
        outcomes = stack.enter_context(contextlib.closing(run_searches(searches, workers, journal=kept)))
        try:
            for outcome in outcomes:
                exhibit = by_name[outcome.task.name]
                if outcome.error:
                    raise RuntimeError(f"gradcheck failed on {exhibit.name}:\n{outcome.error}")
                found[exhibit] |= {mode: _cell(exhibit, outcome, mode, installed) for mode in outcome.task.modes}
                done = sum(len(found[each]) == sum(len(task.modes) for task in tasks[each]) for each in tasks)
                report(exhibit.name, done, len(tasks))
        except KeyboardInterrupt:
            interrupted = True
    cells = [found[exhibit][mode] for exhibit in tasks for mode in exhibit.modes if mode in found[exhibit]]
    planned = [(exhibit, mode) for exhibit, each in tasks.items() for task in each for mode in task.modes]
    return ZooResult(
        cells=tuple(cells),
        versions=installed,
        max_examples=max_examples or DEFAULT_EXAMPLES,
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
        missing=tuple((exhibit.name, mode) for exhibit, mode in planned if mode not in found[exhibit]),
        resumed=resumed,
    )


def _tasks(
    exhibit: Exhibit, modes: Sequence[str], max_examples: int | None, seed: int, installed: Mapping[str, str]
) -> Iterator[SearchTask]:
    """The searches of one subject: those modes apart in which it is known to fail, unless a number was asked for."""
    meant = [mode for mode in exhibit.modes if mode in modes]
    known = [mode for mode in meant if known_for(exhibit.name, mode, installed["tensorflow"], installed["keras"])]
    if max_examples is None:
        searches = {DEFAULT_EXAMPLES: [mode for mode in meant if mode not in known], LONG_SEARCH: known}
    else:
        searches = {max_examples: meant}
    for examples, some in searches.items():
        if some:
            yield SearchTask(
                subject=exhibit.subject,
                strategy=exhibit.strategy,
                modes=tuple(some),
                max_examples=examples,
                seed=seed,
                options=dict(exhibit.options),
                name=exhibit.name,
            )


def _chosen(texts: tuple[str, ...], keras_only: bool, installed: Mapping[str, str]) -> list[Exhibit]:
    here = [exhibit for exhibit in catalog() if available(exhibit, installed["tensorflow"], installed["keras"])]
    chosen = narrowed(here, texts, keras_only)
    if not chosen:
        raise InputError(
            f"no subject of the zoo has {' or '.join(map(repr, texts))} in its name on TensorFlow "
            f"{installed['tensorflow']} with Keras {installed['keras']}; a name looks like {here[0].name!r}, and "
            "`gradcheck zoo --list` lists them"
        )
    return chosen


def _cell(exhibit: Exhibit, outcome: SearchOutcome, mode: str, installed: Mapping[str, str]) -> ZooCell:
    versions = installed["tensorflow"], installed["keras"]
    known = known_for(exhibit.name, mode, *versions)
    expected = tuple(dict.fromkeys(v for one in known for v in one.verdicts(exhibit.name, mode, *versions)))
    document = outcome.document["modes"][mode]
    result = outcome.result(mode)
    failed = result.verdict.fails or result.verdict is Verdict.UNRESOLVED
    return ZooCell(
        exhibit,
        replace(result, expected=expected),
        known,
        document["examples"],
        document["arguments"] if failed else "",
        document["script"] or "",
        document["case"] if result.verdict.fails else None,
        outcome.evidence(mode),
    )


def write_cases(result: ZooResult, folder: Path) -> list[Path]:
    """Write each failing example, known or not, to a file of its own; the files."""
    written = []
    for cell in result.cells:
        if cell.case is not None:
            path = folder / f"{file_stem(f'{cell.exhibit.name}-{cell.result.mode}')}.json"
            written.append(write_json(path, cell.case, indent=1))
    return written

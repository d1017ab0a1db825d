"""Case files: one failing example as JSON, which any TensorFlow version can run again.

Hypothesis's own database and blobs are bound to its version and to the strategy; a case file holds the arguments
themselves, the weights that the subject had, the mode, and what it came to under which versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.cases.encoding import decode, encode
from gradcheck.errors import InputError, shown
from gradcheck.records.results import ModeResult
from gradcheck.schemas.validation import validate
from gradcheck.strategies import Batch
from gradcheck.strategies._literals import array_from_dict, array_to_dict
from gradcheck.subject.importing import spec_of
from gradcheck.support.files import read_json, write_json
from gradcheck.verdicts import Verdict

__all__ = [
    "CASE_SCHEMA",
    "MOST_WEIGHTS",
    "NOT_JSON",
    "NO_CALL",
    "NO_SUBJECT",
    "OUTCOMES",
    "Case",
    "case_of",
    "floating",
    "load_case",
    "outcome",
]

CASE_SCHEMA = 1

#: What a replay can come to: see `outcome`.
OUTCOMES = ("still there", "changed", "undecided", "gone")

#: Why there is no case of some arguments.
NOT_JSON = "an argument is of a kind that a file cannot hold"

#: Why a subject, or a ``call=``, has to be given to a replay.
NO_SUBJECT = (
    "has no name under which it can be imported: it is a lambda, was defined inside a function, or is held by no "
    "module. A named factory at the top level of a module has one: def layer(): return Layer(units=2)"
)
NO_CALL = "was checked with a call= that cannot be imported, such as a lambda"

# Weights beyond this many numbers are not written: a case file is something to mail and to commit.
MOST_WEIGHTS = 1 << 16

_OPTIONS = ("wrt", "engine", "padding", "invariants", "order", "rtol", "atol", "resolution_limit", "accuracy")


@dataclass(frozen=True, eq=False)
class Case:
    """One failing example.

    Attributes:
        name: of the subject, for people.
        subject: its import path ``pkg.module:name``, None where it cannot be imported.
        file: the same as ``path/file.py:name``, for a module that is not found by name.
        call: import path of the ``call=`` that it was checked with; None without one.
        called: whether there was a ``call=``, importable or not.
        arguments: what it was checked on: one `Batch`, or positional arguments.
        mode, verdict, cause, changed, rule: of the failure.
        options: further arguments of `gradcheck.check` that were not left out.
        weights: names and values of the subject's floating-point variables, in its own order; None where they are too
            many.
        versions: of python, tensorflow, keras and numpy.
        own: whether this process found it. What it names was then named by the user; a file's names are a stranger's.
    """

    name: str
    subject: str | None
    arguments: tuple[Any, ...]
    mode: str
    verdict: Verdict
    cause: str = ""
    changed: str = ""
    rule: str = ""
    file: str | None = None
    call: str | None = None
    called: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[tuple[str, np.ndarray[Any, Any]], ...] | None = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    own: bool = False

    @property
    def batch(self) -> Batch | None:
        """The batch, where that is what the subject was checked on."""
        one = self.arguments[0] if len(self.arguments) == 1 else None
        return one if isinstance(one, Batch) else None

    @property
    def obstacle(self) -> str:
        """Why `replay` has to be told more than the case holds; empty where it has not."""
        if self.subject is None and self.file is None:
            return f"{self.name} {NO_SUBJECT}"
        if self.called and self.call is None:
            return f"{self.name} {NO_CALL}"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; ``schema`` is raised when a key changes its meaning or goes away."""
        weights = self.weights
        return {
            "schema": CASE_SCHEMA,
            "kind": "case",
            "name": self.name,
            "subject": self.subject,
            "file": self.file,
            "call": self.call,
            "called": self.called,
            "mode": self.mode,
            "verdict": self.verdict.value,
            "cause": self.cause,
            "changed": self.changed,
            "rule": self.rule,
            "options": dict(self.options),
            "arguments": [encode(argument) for argument in self.arguments],
            "weights": None if weights is None else [{"name": n, "array": array_to_dict(a)} for n, a in weights],
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Case:
        """The case that `to_dict` wrote.

        Raises:
            InputError: where it is none, is damaged, or was written by a newer gradcheck.
        """
        if not isinstance(data, Mapping) or data.get("kind") != "case":
            kind = (
                f"its kind is {shown(data['kind'])}"
                if isinstance(data, Mapping) and "kind" in data
                else "it has no kind"
            )
            raise InputError(f"this is no case of gradcheck: {kind}. `gradcheck search --cases DIR` writes cases")
        schema = data.get("schema")
        if isinstance(schema, bool) or not isinstance(schema, int) or not 1 <= schema <= CASE_SCHEMA:
            raise InputError(
                f"the case has schema {shown(schema)}, and this gradcheck reads 1 to {CASE_SCHEMA}; update it"
            )
        validate(_without_arguments(data), "case")
        weights = data["weights"]
        if weights is not None:
            weights = tuple((weight["name"], array_from_dict(weight["array"])) for weight in weights)
        return cls(
            name=data["name"],
            subject=data["subject"],
            file=data.get("file"),
            call=data.get("call"),
            called=bool(data.get("called", data.get("call"))),
            arguments=tuple(decode(argument) for argument in data["arguments"]),
            mode=data["mode"],
            verdict=Verdict[data["verdict"]],
            cause=data.get("cause", ""),
            changed=data.get("changed", ""),
            rule=data.get("rule", ""),
            options=dict(data["options"]),
            weights=weights,
            versions=dict(data["versions"]),
        )

    def save(self, path: str | Path) -> Path:
        """Write the case to a file, whole or not at all; folders are made. Returns the path."""
        return write_json(Path(path), self.to_dict(), indent=1)


def _without_arguments(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the schema is asked about: `decode` says more of a damaged argument."""
    return {key: [] if key == "arguments" and isinstance(value, list) else value for key, value in data.items()}


def case_of(subject: Any, args: Sequence[Any], result: ModeResult, **options: Any) -> Case:
    """The case of a failure that `gradcheck.check` found.

    Args:
        subject: as it was given to `check`.
        args: the batch, or the arguments, that it was checked on.
        result: what the mode came to: ``report["xla"]``.
        **options: ``call`` and the options of `check` that were given.

    Raises:
        InputError: where an argument cannot be written as JSON.
    """
    from gradcheck._tensorflow import versions
    from gradcheck.subject.adapter import subject_of

    adapter = subject_of(subject, options.get("call"))
    by_module, by_file = spec_of(adapter.original)
    call = adapter.custom_call
    for argument in args:
        encode(argument)  # raises now, and not when somebody saves the case
    return Case(
        name=adapter.name,
        subject=by_module,
        file=by_file,
        call=None if call is None else next((spec for spec in spec_of(call) if spec is not None), None),
        called=call is not None,
        arguments=tuple(args),
        mode=result.mode,
        verdict=result.verdict,
        cause=result.cause,
        changed=result.changed,
        rule=result.rule,
        options={name: _plain(options[name]) for name in _OPTIONS if options.get(name) is not None},
        weights=_weights_of(adapter.variables()),
        versions=versions(),
        own=True,
    )


def _plain(option: Any) -> Any:
    """An option as JSON holds it: names of invariants may be in any collection."""
    return option if isinstance(option, (str, bool, int, float)) else list(option)


def _weights_of(variables: Sequence[Any]) -> tuple[tuple[str, np.ndarray[Any, Any]], ...] | None:
    floats = floating(variables)
    if sum(int(np.prod(variable.shape)) for variable in floats) > MOST_WEIGHTS:
        return None
    return tuple((str(variable.name), variable.numpy()) for variable in floats)


def floating(variables: Sequence[Any]) -> list[Any]:
    """The variables that a case keeps."""
    # Others are counters and random states, of which each Keras has its own.
    return [variable for variable in variables if variable.dtype.is_floating or variable.dtype.is_complex]


def load_case(path: str | Path) -> Case:
    """Read a case file.

    Raises:
        InputError: where it cannot be read, is no JSON or no case, is damaged, or was written by a newer gradcheck.
    """
    path = Path(path)
    data = read_json(path, "give a file that gradcheck search --cases wrote")
    try:
        return Case.from_dict(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def outcome(case: Case, result: ModeResult) -> str:
    """What a replay says of the failure, one of `OUTCOMES`.

    ``"still there"`` is the same verdict (and invariant), ``"changed"`` another failure, ``"undecided"`` is
    ``UNRESOLVED`` and ``"gone"`` a pass or a corner of the function.
    """
    if (result.verdict, result.rule) == (case.verdict, case.rule):
        return "still there"
    if result.verdict.fails:
        return "changed"
    return "undecided" if result.verdict is Verdict.UNRESOLVED else "gone"

"""`Report`, what `gradcheck.check` returns: the results of one check, which print themselves.

Nothing here needs TensorFlow: a report is read back, merged and rendered where TensorFlow is not installed. The data
are in `gradcheck.records`, whose names this module hands on.
"""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.records.evidence import Evidence
from gradcheck.records.report import ReportRecord
from gradcheck.records.results import SCHEMA_VERSION, Entry, ModeResult, jsonable

__all__ = ["SCHEMA_VERSION", "Entry", "Evidence", "ModeResult", "Report", "jsonable"]


@dataclass(frozen=True)
class Report(ReportRecord):
    """What `gradcheck.check` returns: the verdicts of one batch in every mode that was asked for.

    ``report["xla"]`` is the `ModeResult` of a mode, ``report.ok`` says whether nothing failed, ``str(report)`` is
    the text for a terminal.

    Attributes:
        subject: name of the subject.
        modes: results by mode, in the order in which they ran.
        arguments: the checked batch or arguments as code that can be pasted.
        versions: versions of ``python``, ``tensorflow``, ``keras`` and ``numpy``.
        wrt: what was differentiated: ``inputs``, ``variables`` or ``all``.
        scripts: for each failing mode a script that shows the failure with plain TensorFlow and NumPy.
        evidence: for each mode that did not simply pass what its pictures are made from (Jacobians, batch, the
            function along the worst entry), as plain data; measured when it is looked up. See
            `gradcheck.diagnosis.evidence`.
        counts: where this is a whole search for whoever listens, by mode how often each verdict was met.
    """

    def _repr_html_(self) -> str:
        """What notebooks show: verdicts, and pictures of what failed."""
        from gradcheck.rendering.html.notebook import report_fragment

        return report_fragment(self)

    def __str__(self) -> str:
        from gradcheck.rendering import render_report

        return render_report(self)

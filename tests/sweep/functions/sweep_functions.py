"""In place of searches: quick, without TensorFlow, with an outcome that the subject's name says."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from gradcheck.isolation.environment import installed_versions
from gradcheck.isolation.searches import SearchTask, unfinished_document
from gradcheck.report import ModeResult
from gradcheck.verdicts import Verdict

FUNCTIONS = ("sweep_functions:search", "sweep_functions:search_carefully")


def search(arguments, channel):
    _search(arguments, channel, careful=False)


def search_carefully(arguments, channel):
    _search(arguments, channel, careful=True)


def _search(arguments, channel, careful):
    task = SearchTask.from_dict(arguments["task"])
    subject = task.subject.rpartition(":")[2]
    (mode,) = arguments["modes"]
    channel.begin({"mode": mode, "code": "Batch(…)"})
    if log := os.environ.get("SWEEP_TEST_LOG"):
        with open(log, "a") as file:
            file.write(f"{os.getpid()} {task.subject} {mode} {task.seed}\n")
    time.sleep(float(os.environ.get("SWEEP_TEST_SECONDS", "0")))
    if subject == "refused":
        from gradcheck.errors import InputError

        raise InputError("subject 'module:refused': there is no module 'module'")
    if subject == "dies" and not careful:
        os.abort()
    failing = subject == "fails" and mode == "xla" and task.seed == 1
    verdict = Verdict.MISMATCH if failing else Verdict.CRASH if subject == "dies" else Verdict.PASS
    result = ModeResult(mode, verdict, cause="off by 2" if failing else "")
    versions = {**installed_versions(), "tensorflow": os.environ.get("SWEEP_TEST_TENSORFLOW", "2.8.4")}
    document = unfinished_document(replace(task, name=subject), result, "Batch(…)" if failing else "", versions)
    found = {**document["modes"][mode], "examples": task.max_examples, "seconds": 0.1, "cold": task.seed == 0}
    channel.part(mode, {"mode": found, "about": {"subject": subject, "versions": versions}})

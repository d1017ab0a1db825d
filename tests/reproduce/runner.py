"""Runs scripts one after another in one process without gradcheck, and prints their exit statuses as JSON.

A process of its own for each would spend its time on importing TensorFlow.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import traceback

import tensorflow as tf

results = {}
for path in sys.argv[1:]:
    output = io.StringIO()
    status: object = "did not exit"
    tf.config.run_functions_eagerly(False)
    with contextlib.redirect_stdout(output):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            status = end.code
        except BaseException:
            status = traceback.format_exc()
    results[path] = {"status": status, "output": output.getvalue()}
assert "gradcheck" not in sys.modules, "a script imported gradcheck"
print("RESULTS", json.dumps(results))

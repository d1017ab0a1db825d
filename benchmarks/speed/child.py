"""Runs one measurement in a process of its own: ``child.py MODULE ARGUMENTS OUT``."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).resolve().parent))

if __name__ == "__main__":
    module, arguments, out = sys.argv[1:]
    result = importlib.import_module(module).main(**json.loads(arguments))
    Path(out).write_text(json.dumps(result))

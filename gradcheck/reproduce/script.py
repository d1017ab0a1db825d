"""The script for a failure: the subject, its arguments, how it is run, and what is printed."""

from __future__ import annotations

import inspect
import math
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.errors import in_words
from gradcheck.reproduce.arguments import Arguments, Leaf, flattened
from gradcheck.reproduce.failure import Failure
from gradcheck.reproduce.layers import restored_weights, write_layer
from gradcheck.reproduce.literals import UnwritableError
from gradcheck.reproduce.sources import Script, identifier
from gradcheck.verdicts import Verdict

__all__ = ["build_script"]

# tf.test.compute_gradient calls the function twice for every element of the input.
_MOST_REFERENCE_ELEMENTS = 400
# Beyond this the subject is imported rather than written out.
_MOST_LINES = 400

_MODES = {
    "eager": "eager mode",
    "graph": "graph mode (tf.function)",
    "dynamic": "graph mode with unknown batch and time (tf.function with input_signature)",
    "xla": "XLA (tf.function with jit_compile=True)",
}

_IMPORTS = ("import os", "import sys", "import numpy as np", "import tensorflow as tf")

# Python's own status for an error is 1, that of a failure that shows.
_ELSEWHERE = (
    "# An error that is not the failure itself, as where this TensorFlow lacks something: `git bisect run` skips 125.\n"
    "sys.excepthook = lambda *error: (sys.__excepthook__(*error), sys.stdout.flush(), os._exit(125))"
)
# Names that the measuring part of a script uses itself.
_OWN_NAMES = (
    "output", "output_and_gradient", "changed_output", "changed_output_and_gradient", "run", "run_changed", "run_at",
    "result", "value", "gradient", "theoretical", "numerical", "slopes", "h", "uncertain", "variable", "weights",
    "weight", "first", "second", "f", "pair", "finite", "numbers_of", "same", "difference", "error", "rng",
)  # fmt: skip


# The same weights as in `gradcheck.modes`: by position, exact in every dtype.
_FIRST_DERIVATIVE = """\
    # An element of the gradient of all outputs, each with a weight of its own, and summed.
    with tf.GradientTape() as inner_tape:
        inner_tape.watch({source})
        all_outputs = [t for t in tf.nest.flatten({call}, expand_composites=True) if t.dtype.is_floating]
        flat_output = tf.concat([tf.reshape(tf.cast(t, tf.float64), [-1]) for t in all_outputs], 0)
        number_of = tf.range(tf.size(flat_output))
        weight_of = 0.5 + 0.25 * tf.cast(tf.math.floormod(3 * number_of, 5), tf.float64)
        weighed = tf.reduce_sum(flat_output * tf.where(tf.math.floormod(number_of, 3) == 1, -weight_of, weight_of))
    first_gradient = inner_tape.gradient(weighed, {source})
    return (tf.zeros_like({source}) if first_gradient is None else tf.convert_to_tensor(first_gradient)){place}"""


def build_script(failure: Failure) -> str:
    """A Python script that shows a failure with TensorFlow and NumPy alone.

    Run as it is, it prints what counts (for a wrong gradient the theoretical value beside the numerical one), then
    either a line that begins with ``FAILURE REPRODUCED:`` and exits with status 1, or one that begins with
    ``not reproduced`` and exits with status 0.

    Where the subject's source cannot be had (made by ``exec``, built of things that cannot be written as code), the
    script has a marked place to paste it in, and exits with status 2 until that is done. Where an error ends the script
    before it can tell, as on a TensorFlow that lacks something, the status is 125.

    Args:
        failure: what is to be shown.

    Returns:
        The script, valid Python.
    """
    try:
        text = _Builder(failure).text()
    except UnwritableError as obstacle:
        text = _with_a_gap(failure, str(obstacle))
    except Exception as error:
        # Writing asks objects of other people for their parts. What one of them raises must not cost the report.
        text = _with_a_gap(failure, f"an error in it, {in_words(error)}")
    try:
        compile(text, "<script>", "exec")
    except SyntaxError:
        # Sources are moved about as text; where that went wrong an honest gap is better than a broken script.
        text = _with_a_gap(failure, "its source, which does not stand alone")
        compile(text, "<script>", "exec")
    return text


def _with_a_gap(failure: Failure, obstacle: str) -> str:
    """The script without the subject; where its arguments cannot be written either, only a word about why."""
    try:
        return _Builder(failure, obstacle=obstacle).text()
    except Exception as error:
        why = in_words(error) if not isinstance(error, UnwritableError) else f"{error} cannot be written as code"
        said = f"There is no script for {_one_line(failure.name)}: {_one_line(why)}."
        return f"import sys\n\nprint({said!r})\nsys.exit(2)\n"


class _Builder:
    """Puts the parts of one script together."""

    def __init__(self, failure: Failure, obstacle: str = "") -> None:
        self.failure = failure
        self.obstacle = obstacle
        self.script = _empty_script()
        self.call = ""
        self.subject = self._subject()
        moved = failure.input_leaf if failure.input_kind == "argument" else None
        names = self._parameter_names()
        self.arguments = flattened(self.script, failure.args, failure.kwargs, names, moved)
        self.moved = None if moved is None else self.arguments.leaf(moved)
        self.before = (
            None
            if failure.before is None
            else flattened(self.script, *failure.before, [f"first_{name}" for name in names], None)
        )
        self.changed = (
            None
            if failure.changed is None
            else flattened(self.script, *failure.changed, [f"changed_{name}" for name in names], moved)
        )
        self.source = self._variable() or (self.moved.name if self.moved is not None else "")

    # -- the subject and its arguments -----------------------------------------------------------------------

    def _subject(self) -> str:
        failure = self.failure
        wish = identifier(getattr(failure.subject, "__name__", "") or "", "subject")
        if self.obstacle:
            return self._gap(wish)
        code = self.script.expression(failure.subject, wish)
        if failure.call is not None:
            self.call = self.script.expression(failure.call, "call")
        elif len("\n".join(self.script.definitions).splitlines()) > _MOST_LINES:
            code = self._imported() or code
        # An expression, as of a partial, reads better under a name.
        return code if re.fullmatch(r"[\w.]+", code) else self.script.define(wish, code)

    def _gap(self, wish: str) -> str:
        """A place to paste what could not be written."""
        name = self.script.reserve(wish)
        self.script.definitions.append(
            f"# PASTE HERE the definition of {_one_line(self.failure.name) or name}. "
            f"It could not be written\n# because of {_one_line(self.obstacle)}.\n"
            f"{name} = None\n"
            f"if {name} is None:\n"
            '    print("paste the definition of the subject into this script first")\n'
            "    sys.exit(2)"
        )
        return name

    def _imported(self) -> str | None:
        """Import a subject that is too long to be written out; None where it cannot be imported."""
        subject = self.failure.subject
        module, name = getattr(subject, "__module__", ""), getattr(subject, "__qualname__", "")
        try:
            home = Path(inspect.getfile(subject)).resolve()
        except (TypeError, OSError):
            return None
        if not name.isidentifier() or module in ("__main__", "") or module.split(".")[0] == "gradcheck":
            return None
        self.script = _empty_script()
        self.script.remarks.append(f"{name} and what it needs are more than {_MOST_LINES} lines, so it is imported.")
        root = str(home.parents[module.count(".")])
        self.script.definitions.append(f"sys.path.insert(0, {root!r})\nfrom {module} import {name}  # noqa: E402")
        return self.script.reserve(name, subject)

    def _parameter_names(self) -> list[str]:
        target = self.failure.call or getattr(self.failure.subject, "python_function", None) or self.failure.subject
        if hasattr(target, "get_config") and hasattr(target, "call"):
            target = target.call
        try:
            names = [
                parameter.name
                for parameter in inspect.signature(target).parameters.values()
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            ]
        except (TypeError, ValueError):
            return []
        return names[1:] if self.failure.call is not None else names

    def _variable(self) -> str:
        """The expression of the variable that is differentiated; empty where it is an argument."""
        failure = self.failure
        if failure.input_kind != "variable":
            return ""
        if failure.variable is not None:
            known = self.script.name_of(failure.variable)
            if known is not None:
                return known
            for holder in _holders(failure.subject):
                name = self.script.name_of(holder)
                variables = list(getattr(holder, "trainable_variables", None) or ())
                number = next((i for i, v in enumerate(variables) if _same_variable(v, failure.variable)), None)
                if name is not None and number is not None:
                    return f"{name}.trainable_variables[{number}]"
        return f"{self.subject.split('.')[0]}.trainable_variables[{failure.input_leaf or 0}]"

    def _calling(self, arguments: Arguments) -> str:
        if self.call:
            return f"{self.call}({', '.join(part for part in (self.subject, arguments.code) if part)})"
        return f"{self.subject}({arguments.code})"

    # -- the whole text --------------------------------------------------------------------------------------

    def text(self) -> str:
        """The script."""
        # Imports, definitions and remarks come first in the text and last here: the rest adds to them.
        inputs, body = self._inputs(), self._body()
        parts = [
            self._head(),
            "from __future__ import annotations",
            self._imports(),
            _ELSEWHERE,
            *(_spaced(definition) for definition in self.script.definitions),
            inputs,
            *body,
        ]
        return re.sub(r"\n{4,}", "\n\n\n", "\n\n".join(part for part in parts if part)) + "\n"

    def _imports(self) -> str:
        standard = [line for line in self.script.imports if line.split()[1].split(".")[0] in sys.stdlib_module_names]
        others = [line for line in self.script.imports if line not in standard]
        return "\n".join(sorted(standard)) + "\n\n" + "\n".join(sorted(others, key=lambda line: line.split()[1]))

    def _head(self) -> str:
        failure = self.failure
        versions = ", ".join(f"{name} {version}" for name, version in failure.versions.items())
        lines = [f"{failure.verdict.value} of {_one_line(failure.name) or 'the subject'} in {_MODES[failure.mode]}."]
        lines += [_one_line(text) for text in (failure.where, failure.cause) if text]
        lines.append("Needs TensorFlow and NumPy only." + (f" Found with {versions}." if versions else ""))
        lines += self.script.remarks
        return "\n".join(f"# {piece}" for line in lines for piece in textwrap.wrap(line, 100, break_long_words=False))

    def _inputs(self) -> str:
        leaves = list(self.arguments.leaves)
        if self._second_call():
            assert self.changed is not None
            leaves += [leaf for leaf in self.changed.leaves if self._original(leaf) is None]
        lines = [f"{leaf.name} = {self.script.expression(leaf.value)}" for leaf in leaves]
        if self.before is not None:
            lines += [f"{leaf.name} = tf.constant({self.script.expression(leaf.value)})" for leaf in self.before.leaves]
            lines.append(
                f"{self._calling(self.before)}  # the subject keeps something of the batch that it is built on"
            )
        if self.failure.mode == "eager" and self._traces_itself():
            lines.append("tf.config.run_functions_eagerly(True)  # also where the subject has a tf.function of its own")
        return "\n".join(lines)

    def _second_call(self) -> bool:
        """Whether the failure is the difference of two calls."""
        failure = self.failure
        # An entry of the gradient that is named for one call only is one at a padded input.
        twice = failure.input_position is None or failure.changed_input_position is not None
        return failure.verdict is Verdict.PADDING_LEAK and self.changed is not None and twice

    def _original(self, leaf: Leaf) -> Leaf | None:
        """The array of the first call that one of the second call is equal to."""
        for other in self.arguments.leaves:
            if (leaf.number, leaf.main, leaf.value.dtype) == (other.number, other.main, other.value.dtype):
                same = leaf.value.shape == other.value.shape and leaf.value.tobytes() == other.value.tobytes()
                if same and leaf is not other:
                    return other
        return None

    def _traces_itself(self) -> bool:
        return any("tf.function" in text for text in self.script.definitions)

    def _body(self) -> list[str]:
        failure = self.failure
        if failure.verdict in (Verdict.ERROR, Verdict.UNSUPPORTED, Verdict.CRASH):
            return self._raises()
        if failure.verdict is Verdict.PADDING_LEAK:
            return self._leaks() if self._second_call() else self._wrong_entry()
        if failure.verdict is Verdict.NONDETERMINISTIC:
            return self._differs("first call", "second call", "run")
        if failure.verdict is Verdict.DISAGREEMENT:
            return self._differs("eager", failure.mode, "output_and_gradient")
        if failure.output_position is None or failure.input_position is None or not self.source:
            return self._nonfinite_somewhere()
        return self._wrong_entry()

    # -- pieces ----------------------------------------------------------------------------------------------

    def _output(self, arguments: Arguments, position: tuple[int, ...] | None, prefix: str = "") -> str:
        """The functions that are run: the output element (or all outputs), and that with its gradient."""
        failure = self.failure
        names = ", ".join(leaf.name for leaf in arguments.leaves)
        call = self._calling(arguments)
        first = None if failure.gradient_of is None else arguments.leaf(failure.gradient_of)
        if first is not None and position is not None:
            output = _FIRST_DERIVATIVE.format(source=first.name, call=call, place=_place(position))
        elif position is None:
            output = (
                f"    tensors = tf.nest.flatten({call}, expand_composites=True)\n"
                "    return [t for t in tensors if t.dtype.is_floating or t.dtype.is_complex]"
            )
        else:
            if failure.output_leaf is not None:
                call = f"tf.nest.flatten({call}, expand_composites=True)[{failure.output_leaf}]"
            call += _place(position)
            output = (
                f"    return tf.math.{failure.output_part}({call})" if failure.output_part else f"    return {call}"
            )
        source, watch = self.source, not self._variable()
        if source and watch and failure.input_leaf is not None:
            leaf = arguments.leaf(failure.input_leaf)
            source = leaf.name if leaf is not None else source
        elif not source:
            sources = [leaf.name for leaf in arguments.leaves if leaf.main and leaf.value.dtype.kind in "fcV"]
            source = sources[0] if len(sources) == 1 else "[" + ", ".join(sources) + "]"
        watching = f"        tape.watch({source})\n" if watch and source != "[]" else ""
        return (
            f"\ndef {prefix}output({names}):\n{output}\n\n\n"
            f"def {prefix}output_and_gradient({names}):\n"
            "    with tf.GradientTape() as tape:\n"
            f"{watching}"
            f"        y = {prefix}output({names})\n"
            f"    return y, tape.gradient(y, {source})\n"
        )

    def _in_mode(self, function: str, arguments: Arguments) -> str:
        mode = self.failure.mode
        if mode == "eager":
            return function
        if mode == "graph":
            return f"tf.function({function})"
        if mode == "xla":
            return f"tf.function({function}, jit_compile=True)"
        specs = [f"    {self._spec(leaf)}," for leaf in arguments.leaves]
        return "\n".join([f"tf.function({function}, input_signature=[", *specs, "])"])

    def _spec(self, leaf: Leaf) -> str:
        axes = self.failure.dynamic_axes
        if not leaf.main:
            # Row splits and indices are as many as there are rows and values; a dense shape has its rank.
            unknown: tuple[int, ...] = () if leaf.name.endswith("_shape") else (0,)
        else:
            unknown = tuple(axes[leaf.number]) if leaf.number < len(axes) else ()
        shape = [None if axis in unknown else size for axis, size in enumerate(leaf.value.shape)]
        dtype = "string" if leaf.value.dtype.kind in "SUO" else leaf.value.dtype.name
        return f"tf.TensorSpec({shape}, tf.{dtype})"

    def _tensors(self, arguments: Arguments, moved: str = "") -> str:
        names = [
            moved if moved and leaf is self.moved else (self._original(leaf) or leaf).name for leaf in arguments.leaves
        ]
        return ", ".join(f"tf.constant({name})" for name in names)

    def _weights(self) -> str:
        """Call layers once, so that they have weights, and give them those of the failure."""
        failure = self.failure
        lines = [line for layer, name in self.script.layers for line in restored_weights(self.script, layer, name)]
        if not lines or (failure.mode == "eager" and failure.verdict in (Verdict.ERROR, Verdict.CRASH)):
            # The call that would make the weights is the one that fails.
            return ""
        return "\n".join(
            [f"output({self._tensors(self.arguments)})  # a layer makes its weights when it is called", *lines]
        )

    def _start(self, position: tuple[int, ...] | None) -> list[str]:
        run = f"\nrun = {self._in_mode('output_and_gradient', self.arguments)}"
        return [self._output(self.arguments, position), self._weights(), run]

    def _exact(self) -> bool:
        """Whether the moved input is of double precision."""
        if self.moved is not None:
            name = self.moved.value.dtype.name
        else:
            dtype = getattr(self._differentiated(), "dtype", "float32")
            name = str(getattr(dtype, "name", dtype))
        return name in ("float64", "complex128")

    def _differentiated(self) -> Any:
        failure = self.failure
        if failure.variable is not None:
            return failure.variable
        variables = list(getattr(failure.subject, "trainable_variables", None) or ())
        return variables[failure.input_leaf] if failure.input_leaf is not None and variables else None

    # -- what is shown ---------------------------------------------------------------------------------------

    def _wrong_entry(self) -> list[str]:
        """Theoretical beside numerical, for one output element and one input element."""
        failure = self.failure
        position = failure.input_position or ()
        move = "1j * step" if failure.input_part == "imag" else "step"
        variable = self._variable()
        words = '    """The output element and its gradient, with the input element moved by a step."""\n'
        if variable:
            run_at = (
                f"variable = {variable}\n"
                "weights = np.array(variable)\n\n\n"
                f"def run_at(step):\n{words}"
                "    moved = weights.copy()\n"
                f"    moved{_place(position) or '[()]'} += {move}\n"
                "    variable.assign(moved)\n"
                f"    return run({self._tensors(self.arguments)})\n"
            )
        else:
            run_at = (
                f"\ndef run_at(step):\n{words}"
                f"    moved = np.array({self.source})\n"
                f"    moved{_place(position) or '[()]'} += {move}\n"
                f"    return run({self._tensors(self.arguments, 'moved')})\n"
            )
        step = float(failure.step) if failure.step else 2.0**-12 if self._exact() else 2.0**-7
        step_code = f"2.0**{int(math.log2(step))}" if math.log2(step).is_integer() else repr(step)
        place = _place(position) + (f".{failure.input_part}" if failure.input_part else "")
        eps = f"np.finfo(np.{'float64' if self._exact() else 'float32'}).eps"
        measure = (
            "\nvalue, gradient = run_at(0)\n"
            'print("output:", float(value))\n'
            "# No gradient at all means zero to whoever trains with it.\n"
            f"theoretical = 0.0 if gradient is None else float(np.array(tf.convert_to_tensor(gradient)){place})\n"
            'print("theoretical (tf.GradientTape):", "no gradient" if gradient is None else theoretical)\n'
            f"h = {step_code}\n"
            "slopes = [(float(run_at(s)[0]) - float(run_at(-s)[0])) / (2 * s) for s in (h, h / 2)]\n"
            "numerical = (4 * slopes[1] - slopes[0]) / 3  # what the two say about a step of 0\n"
            'print("numerical (central difference):", numerical)\n'
            f"{self._reference()}"
            f"uncertain = abs(slopes[1] - slopes[0]) + 8 * {eps} * abs(float(value)) / h\n"
        )
        if failure.verdict is Verdict.NONFINITE:
            condition = "not (np.isfinite(theoretical) and np.isfinite(float(value)))"
            claim = '"the output or its gradient is not finite"'
        elif failure.verdict is Verdict.PADDING_LEAK:
            # The input is padding, or in another row: the output may not depend on it, whichever way that is measured.
            condition = "theoretical != 0 or abs(numerical) > uncertain"
            claim = '"the output depends on an input that it should not depend on"'
        else:
            condition = "not abs(theoretical - numerical) <= 4 * uncertain"
            claim = 'f"theoretical {theoretical!r}, numerical {numerical!r}, uncertain by {uncertain:.1g}"'
        return [*self._start(failure.output_position or ()), run_at, measure + _ending(condition, claim)]

    def _reference(self) -> str:
        """The pair of `tf.test.compute_gradient`, where it can be had for this mode."""
        failure, moved = self.failure, self.moved
        # Its tape is outside the compiled function, so it cannot differentiate a loop under XLA.
        if failure.mode == "xla" or moved is None or failure.input_part or moved.value.size > _MOST_REFERENCE_ELEMENTS:
            return ""
        position = failure.input_position or ()
        column = int(np.ravel_multi_index(position, moved.value.shape)) if position else 0
        others = ", ".join(
            leaf.name if leaf is moved else f"tf.constant({leaf.name})" for leaf in self.arguments.leaves
        )
        return (
            f"f = {self._in_mode('output', self.arguments)}\n"
            f"pair = tf.test.compute_gradient(lambda {moved.name}: f({others}), [tf.constant({moved.name})])\n"
            f'print("tf.test.compute_gradient:", *(float(jacobian[0][0, {column}]) for jacobian in pair))\n'
        )

    def _raises(self) -> list[str]:
        """Whether it raises at all, forward or backward."""
        # A name that this script lacks is not the failure that it is to show.
        missing = "" if "NameError" in self.failure.cause else "except NameError:\n    raise\n"
        says = "this mode cannot run it" if self.failure.verdict is Verdict.UNSUPPORTED else "it raises"
        lines = (
            "\ntry:\n"
            f"    run({self._tensors(self.arguments)})\n"
            f"{missing}"
            "except Exception as error:\n"
            "    print(error)\n"
            f'    print(f"FAILURE REPRODUCED: {says}: {{type(error).__name__}} (TensorFlow {{tf.__version__}})")\n'
            "    sys.exit(1)\n"
            'print(f"not reproduced: no error (TensorFlow {tf.__version__})")\n'
            "sys.exit(0)"
        )
        return [*self._start(None), lines]

    def _nonfinite_somewhere(self) -> list[str]:
        lines = (
            f"\nresult = run({self._tensors(self.arguments)})\n"
            "finite = True\n"
            'for name, tensors in zip(("output", "gradient"), result):\n'
            "    for tensor in tf.nest.flatten(tensors):\n"
            "        if tensor is not None:\n"
            '            print(name, np.array(tf.convert_to_tensor(tensor)), sep="\\n")\n'
            "            finite = finite and bool(np.isfinite(np.array(tf.convert_to_tensor(tensor))).all())\n"
        )
        return [*self._start(self.failure.output_position), lines + _ending("not finite", '"NaN or Inf comes out"')]

    def _numbers_of(self, position: tuple[int, ...] | None) -> str:
        """A function of the script: what two runs are compared by."""
        floats = [leaf for leaf in self.arguments.leaves if leaf.main and leaf.value.dtype.kind in "fcV"]
        if self._second_call() and self.failure.output_position is None and len(floats) == 1:
            words = "The gradient, as far as both calls have it."
            trimmed = ", ".join(f":{size}" for size in floats[0].value.shape)
            code = f"    return np.ravel(np.array(tf.convert_to_tensor(result[1]))[{trimmed}])"
        elif self.failure.output_position is None:
            words = "All outputs and gradients in a row."
            code = (
                "    tensors = [tf.convert_to_tensor(t) for t in tf.nest.flatten(result) if t is not None]\n"
                "    return np.concatenate([np.ravel(t) for t in tensors])"
            )
        elif position is None or not self.source:
            words = "The output element."
            code = "    return np.array([result[0]])"
        else:
            words = "The output element and the entry of its gradient."
            part = f".{self.failure.input_part}" if self.failure.input_part else ""
            place = f"np.array(tf.convert_to_tensor(gradient)){_place(position)}{part}"
            code = f"    value, gradient = result\n    return np.array([value, 0.0 if gradient is None else {place}])"
        return f'\ndef numbers_of(result):\n    """{words}"""\n{code}\n'

    def _compared(self, one: str, other: str) -> str:
        """From ``first`` and ``second`` to the verdict."""
        bound = self.failure.bound
        if self.failure.verdict is Verdict.NONDETERMINISTIC:
            allowed = "0"
        elif bound is not None and math.isfinite(bound):
            allowed = repr(float(bound))
        else:
            exact = all(
                leaf.value.dtype.itemsize >= 8 for leaf in self.arguments.leaves if leaf.value.dtype.kind in "fc"
            )
            allowed = f"{'1e-9' if exact else '1e-3'} * np.max(np.abs(first), initial=1.0)"
        sizes = (
            "if first.size != second.size:\n"
            f'    print("FAILURE REPRODUCED:", first.size, "numbers {one},", second.size, "{other}")\n'
            "    sys.exit(1)\n"
        )
        return (
            f'print("{one}:", first)\n'
            f'print("{other}:", second)\n'
            f"{sizes if self.failure.output_position is None else ''}"
            "same = (first == second) | (np.isnan(first) & np.isnan(second))\n"
            "difference = np.max(np.abs(first - second), where=~same, initial=0.0)\n"
        ) + _ending(f"not difference <= {allowed}", f'f"{one} and {other}: results differ by {{difference}}"')

    def _differs(self, one: str, other: str, run: str) -> list[str]:
        """Two ways of running the same call."""
        tensors = self._tensors(self.arguments)
        first = f"first = numbers_of({run}({tensors}))"
        if run != "run" and self._traces_itself():
            first = f"tf.config.run_functions_eagerly(True)\n{first}\ntf.config.run_functions_eagerly(False)"
        second = f"second = numbers_of(run({tensors}))\n"
        if self.failure.verdict is Verdict.NONDETERMINISTIC:
            # On a small batch two random results are often the same.
            same = "np.array_equal(first, second, equal_nan=True)"
            second = f"for _ in range(100):\n    {second}    if not {same}:\n        break\n"
        return [
            *self._start(self.failure.output_position),
            self._numbers_of(self.failure.input_position),
            f"\n{first}\n{second}" + self._compared(one, other),
        ]

    def _leaks(self) -> list[str]:
        """Two calls that differ in the padding only."""
        failure, changed = self.failure, self.changed
        assert changed is not None
        pieces = self._start(failure.output_position)
        run = "run"
        elsewhere = failure.changed_output_position not in (None, failure.output_position)
        if elsewhere or len(changed.leaves) != len(self.arguments.leaves):
            run = "run_changed"
            pieces += [
                self._output(changed, failure.changed_output_position or failure.output_position, "changed_"),
                f"\nrun_changed = {self._in_mode('changed_output_and_gradient', changed)}",
            ]
        pieces.append(self._numbers_of(failure.input_position))
        second = "numbers_of"
        if failure.changed_input_position is not None and failure.changed_input_position != failure.input_position:
            pieces.append(
                self._numbers_of(failure.changed_input_position).replace("numbers_of(", "changed_numbers_of(")
            )
            second = "changed_numbers_of"
        first = f"first = numbers_of(run({self._tensors(self.arguments)}))\n"
        other = f"second = {second}({run}({self._tensors(changed)}))\n"
        if failure.output_position is None:
            # Nothing says where the results differ: the second call may not even have any.
            other = (
                f"try:\n    {other}except Exception as error:\n    print(error)\n"
                '    print("FAILURE REPRODUCED: with another padding it raises", type(error).__name__)\n'
                "    sys.exit(1)\n"
            )
        return [*pieces, f"\n{first}{other}" + self._compared("one padding", "another padding")]


def _empty_script() -> Script:
    script = Script(imports=dict.fromkeys(_IMPORTS), write_layer=write_layer)
    for name in _OWN_NAMES:
        script.reserve(name)
    return script


def _place(position: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, position))}]" if position else ""


def _spaced(definition: str) -> str:
    """Functions and classes stand apart."""
    return f"\n{definition}\n" if definition.startswith(("def ", "class ", "@")) else definition


def _ending(condition: str, claim: str) -> str:
    return (
        f"if {condition}:\n"
        f'    print("FAILURE REPRODUCED:", {claim}, f"(TensorFlow {{tf.__version__}})")\n'
        "    sys.exit(1)\n"
        'print(f"not reproduced (TensorFlow {tf.__version__})")\n'
        "sys.exit(0)"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _same_variable(one: Any, other: Any) -> bool:
    return one is other or getattr(one, "value", None) is other


def _holders(subject: Any) -> list[Any]:
    """Whatever the subject is or is bound to that may own variables."""
    found = [subject, getattr(subject, "__self__", None)]
    function = inspect.unwrap(getattr(subject, "python_function", subject))
    if inspect.isfunction(function):
        closure = inspect.getclosurevars(function)
        found += [*closure.nonlocals.values(), *closure.globals.values()]
    return [holder for holder in found if holder is not None]

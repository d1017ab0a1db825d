"""The cause of an error in one line, from the page that TensorFlow writes about it.

TensorFlow wraps one sentence in call stacks, names of graph nodes and advice on dumping graphs, each version and each
execution mode in another way. `cause_of` finds that sentence, says the common ones in plain words (the same words in
every mode, so that modes which fail alike are told about together), and adds where in the user's code it happened.

The rules were written against the messages that TensorFlow 2.8 and 2.21 really give; ``tests/rendering/messages``
holds them. Only text is looked at: nothing here needs TensorFlow.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from gradcheck.records.reasons import Reason

__all__ = ["BACKWARD", "FORWARD_RUNS", "cause_of", "is_unsupported", "is_users_file", "reasons_of"]

BACKWARD = "in the backward pass, "
"""How the cause of an error starts that was met while a gradient was formed, where that says more than the error."""

FORWARD_RUNS = "the forward pass succeeds, its gradient does not: "
"""How the cause starts where the same call without a gradient was made and raised nothing."""

# A line that people read at a glance; the whole text is kept elsewhere.
_LONGEST = 220

_XLA = frozenset({"xla"})
_DYNAMIC = frozenset({"dynamic"})
_COMPILED = frozenset({"graph", "dynamic", "xla"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Rule:
    """A known message: how to recognise it, how to say it, and the modes whose limits it speaks of.

    One ``of_arguments`` says that those of an operation do not go together. In a backward pass they are gradients,
    which is what somebody who looks for them in the forward pass has to be told.
    """

    pattern: re.Pattern[str]
    say: str | Callable[[re.Match[str]], str]
    limits_of: frozenset[str] = _NONE
    of_arguments: bool = False
    reason: Reason | None = None

    def sentence(self, match: re.Match[str]) -> str:
        return match.expand(self.say) if isinstance(self.say, str) else self.say(match)


def _rule(
    pattern: str,
    say: str | Callable[[re.Match[str]], str],
    limits_of: frozenset[str] = _NONE,
    reason: Reason | None = None,
) -> _Rule:
    return _Rule(re.compile(pattern, re.DOTALL), say, limits_of, reason=reason)


def _arguments(pattern: str, say: str | Callable[[re.Match[str]], str]) -> _Rule:
    return _Rule(re.compile(pattern, re.DOTALL), say, of_arguments=True)


def _operations(match: re.Match[str]) -> str:
    """The operations without a kernel, with the attribute that is in the way where the operation as such has one."""
    found = re.findall(
        r"(\w+) \(No registered '\w+' OpKernel(?:[^()]|\([^()]*\))*?"
        r"(?:Requested Attributes: ([^()]*?))?\)(?=\{|\s|,|$)",
        match[1],
    )
    names = []
    for name, attributes in found:
        variant = re.search(r"(\w+)=(DT_(?:VARIANT|STRING|RESOURCE))", attributes)
        names.append(f"{name} ({variant[1]}={variant[2]})" if variant else name)
    # The same operation is listed once for every node.
    unique = list(dict.fromkeys(names))
    if not unique:
        return "XLA cannot compile an operation of the subject: " + match[1]
    return f"XLA cannot compile the operation{'s' if len(unique) > 1 else ''} {', '.join(unique)}"


def _shape(text: str) -> str:
    """``(3,)`` and ``[3]`` are both written ``[3]``."""
    return "[" + ", ".join(part.strip() for part in text.strip("()[] ").split(",") if part.strip()) + "]"


def _unequal(first: int, second: int) -> Callable[[re.Match[str]], str]:
    # The order in which two shapes are met differs between modes and says nothing.
    def say(match: re.Match[str]) -> str:
        one, other = sorted((_shape(match[first]), _shape(match[second])), key=lambda shape: (len(shape), shape))
        return (
            f"elements of different shapes, {one} and {other}, cannot be stacked into one tensor "
            "(tf.map_fn, tf.scan, tf.TensorArray and tf.stack need equal shapes)"
        )

    return say


def _do_not_fit(match: re.Match[str]) -> str:
    shapes = " and ".join(_shape(shape) for shape in re.findall(r"\[[^\]]*\]", match["shapes"]))
    if "operation" not in match.re.groupindex:
        return f"shapes {shapes} do not fit together"
    operation = re.sub(r"^(Batch)?MatMul.*", "MatMul", match["operation"])
    return f"{operation}: shapes {shapes} do not fit together"


_DTYPES = {"double": "float64", "float": "float32", "half": "float16", "int": "int32"}


def _dtypes(match: re.Match[str]) -> str:
    one, other = sorted(_DTYPES.get(name, name) for name in (match["one"], match["other"]))
    return f"{match['operation']}: arguments of different dtypes, {one} and {other}"


def _dtypes_in_list(match: re.Match[str]) -> str:
    """What a traced function says of the list in which eager mode finds two dtypes."""
    names = sorted({name.strip() for name in match["types"].split(",")})
    return f"{match['operation']}: arguments of different dtypes, {' and '.join(names)}"


def _gradient_shape(match: re.Match[str]) -> str:
    one, other = _shape(match[2]), _shape(match[3])
    return f"the gradient w.r.t. {match[1]} has another shape than {match[1]} itself: {one}, not {other}"


_SYMBOLIC = "a tensor has no value yet while the function is traced, "

_RULES = (
    # What XLA cannot do.
    _rule(r"Detected unsupported operations when trying to compile graph \S+ on \w+: (.*)", _operations, _XLA),
    _rule(
        r"Input (\d+) to node `[^`]*` with op (\w+) must be a compile-time constant",
        r"XLA has to know input \1 of \2 (a shape or size) when it compiles, but it is computed from the data",
        _XLA,
    ),
    _rule(
        r"XLA compilation requires a fixed tensor list size",
        "XLA cannot store the steps of a loop whose number of iterations it does not know: give tf.while_loop "
        "maximum_iterations, and tf.TensorArray a fixed size",
        _XLA,
    ),
    _rule(
        r"TensorList crossing the XLA/TF boundary",
        "the steps that a loop stored for its gradient (a TensorList) cannot leave the compiled function",
        _XLA,
    ),
    _rule(
        r"XLA can't deduce compile time constant (?:output )?shape",
        "XLA has to know the shape of a slice when it compiles, but it is computed from the data",
        _XLA,
    ),
    _rule(
        r"Fail to proof the equality of two dimensions at compile time",
        "XLA cannot prove, when it compiles, that two sizes are equal, because they are computed from the data",
        _XLA,
    ),
    _rule(
        r"RET_CHECK failure \((?:[^()]*/)?([^()/]+)\) (.*?)(?:\n|\Z)",
        r"XLA's compiler fails with an internal error (\1: \2)",
        _XLA,
    ),
    _rule(
        r"((?:Slice|Update) dim size \d+ greater than dynamic slice dimension: \d+)",
        r"XLA cannot compile a slice that is larger than what it is taken from (\1)",
        _XLA,
    ),
    # What a traced function cannot do.
    _rule(
        r"(?i)iterating over a?\s?(?:symbolic )?`?tf\.Tensor`? is not allowed",
        _SYMBOLIC + "so Python cannot loop over it",
        _COMPILED,
    ),
    _rule(
        r"(?i)using a (?:symbolic )?`?tf\.Tensor`? as a Python `?bool`? is not allowed",
        _SYMBOLIC + "so a Python `if`, `while`, `and` or `or` cannot decide by it",
        _COMPILED,
    ),
    _rule(
        r"'(?:Symbolic)?Tensor' object has no attribute 'numpy'|numpy\(\) is only available when eager",
        _SYMBOLIC + "so .numpy() cannot be called on it",
        _COMPILED,
    ),
    _rule(
        r"Cannot convert a symbolic (?:tf\.)?Tensor \([^)]*\) to a numpy array"
        r"|__array__\(\) on a .*?symbolic|(?:Symbolic)?Tensor\S* to a numpy array",
        _SYMBOLIC + "so NumPy cannot compute with it",
        _COMPILED,
    ),
    _rule(
        r"(?:int|float)\(\) argument must be .*? not '(?:Symbolic)?Tensor'"
        r"|'(?:Symbolic)?Tensor' object cannot be interpreted as an integer"
        r"|__(?:int|index|float)__ returned non-\w+ \(type (?:Symbolic)?Tensor\)",
        _SYMBOLIC + "so Python cannot make a number of it",
        _COMPILED,
    ),
    _rule(
        r"(?:only supports singleton tf\.Variables|tried to create variables on non-first call)",
        "variables are created in every call; tf.function allows it in the first one only",
        _COMPILED,
    ),
    _rule(
        r"('\w+' must also be initialized in the \w+ branch|'\w+' has dtype \w+ in the .*? branch, but .*? branch"
        r"|'\w+' must be defined before the loop|'\w+' has dtype \w+ before the loop, but [^.]* iteration)",
        r"\1",
        _COMPILED,
    ),
    _rule(
        r"Input tensor `[^`]*` enters the loop with shape (\([^)]*\)), but has shape (\([^)]*\)) after one iteration",
        r"a variable of a loop changes its shape from \1 to \2, which tf.while_loop allows with shape_invariants only",
        _COMPILED,
    ),
    # What cannot be done where batch and time are not known.
    _rule(
        r"'NoneType' object cannot be interpreted as an integer|unsupported operand type\(s\) for [^:]*: .*NoneType"
        r"|'[<>]=?' not supported between instances of .*NoneType|got None of type 'NoneType'"
        r"|Cannot convert None to|must be .*, not NoneType|not 'NoneType'|Cannot convert a partially known TensorShape"
        r"|Failed to convert elements of [\[(].*\bNone\b",
        "the size of an axis is needed as a Python number, but it is unknown while the function is traced "
        "(tf.shape(x)[axis] instead of x.shape[axis] works)",
        _DYNAMIC,
    ),
    _rule(
        r"(Cannot infer argument `num` from shape \([^)]*\)|[^.\n]*with unknown inner matrix shape"
        r"|[^.\n]*should be defined\. Found:? `?None`?|[^.\n]*must be fully-defined \(no `None` dimensions\)"
        r"|Cannot iterate over a (?:tensor|shape) with unknown [\w ]+|as_list\(\) is not defined on an unknown"
        r"|[^.\n]*(?:unknown|undefined) (?:rank|shape|dimension)[^.\n]*"
        r"|[^.\n]*(?:must|has to|should) be (?:statically )?(?:known|static|fully defined)[^.\n]*)",
        r"\1",
        _DYNAMIC,
    ),
    # What is wrong with the batch or with the subject.
    _rule(r"PartialTensorShape: Incompatible shapes during merge: (\[[^\]]*\]) vs\. (\[[^\]]*\])", _unequal(1, 2)),
    _rule(r"Incompatible shape for value \((\([^)]*\))\), expected \((\([^)]*\))\)", _unequal(1, 2)),
    _rule(r"Inconsistent shapes: saw (\([^)]*\)) but expected (\([^)]*\))", _unequal(1, 2)),
    _rule(
        r"[Tt]ried to stack elements (?:with|from .*? with) different shapes: (\[[^\]]*\]) vs\.? (\[[^\]]*\])",
        _unequal(1, 2),
    ),
    _arguments(
        r"Dimensions must be equal, but are .*? for '[^']*? = (?P<operation>\w+)\[.*?' with input shapes: "
        r"(?P<shapes>\[.*\])",
        _do_not_fit,
    ),
    _arguments(
        r"Incompatible shapes: (?P<shapes>\[[^\]]*\] vs\. \[[^\]]*\])(?:.*?\[Op:(?P<operation>\w+)\])", _do_not_fit
    ),
    # Where it runs in a compiled function the operation is not named.
    _arguments(r"\AIncompatible shapes: (?P<shapes>\[[^\]]*\] vs\. \[[^\]]*\])\s*\Z", _do_not_fit),
    _arguments(
        r"Matrix size-incompatible: (?P<shapes>In\[0\]: \[[^\]]*\], In\[1\]: \[[^\]]*\])",
        lambda match: "MatMul: shapes {} and {} do not fit together".format(
            *(_shape(shape) for shape in re.findall(r": (\[[^\]]*\])", match["shapes"]))
        ),
    ),
    _arguments(
        r"cannot compute (?P<operation>\w+) as input #\d+\(zero-based\) was expected to be an? (?P<one>\w+) tensor "
        r"but is an? (?P<other>\w+) tensor",
        _dtypes,
    ),
    _arguments(
        r"Input '\w+' of '(?P<operation>\w+)' Op has type (?P<one>\w+) that does not match type (?P<other>\w+) of",
        _dtypes,
    ),
    _arguments(
        r"Tensors in list passed to '\w+' of '(?P<operation>\w+)' Op have types \[(?P<types>[^\]]*)\] "
        "that don't all match",
        _dtypes_in_list,
    ),
    _arguments(
        r"Tensor conversion requested dtype (\w+) for Tensor with dtype (\w+)",
        r"a tensor of dtype \2 where \1 is asked for",
    ),
    _rule(
        r"the gradient w\.r\.t\. (.+?) has shape (\([^)]*\)) where the input has (\([^)]*\))",
        _gradient_shape,
        reason=Reason.GRADIENT_SHAPE,
    ),
    _rule(
        r"<tf\.Tensor .*?> is out of scope",
        "a tensor that was made inside a function was kept and used outside of it",
    ),
    _rule(r"\A(\S.*?)\s+Condition x \S+ y did not hold", r"assertion failed: \1"),
    _rule(
        r"gradient registry has no entry for: (\w+)",
        r"TensorFlow has no gradient for the operation \1",
        reason=Reason.NO_GRADIENT,
    ),
    _rule(
        r"No gradient defined for operation '[^']*' \(op type: (\w+)\)",
        r"TensorFlow has no gradient for the operation \1",
        reason=Reason.NO_GRADIENT,
    ),
    _rule(r"assertion failed: \[([^\]]+)\]", r"assertion failed: \1"),
    _rule(
        r"(?:OOM when allocating|Out of memory while trying to allocate)[^.\[]*(?:\[[^\]]*\])?", r"out of memory: \g<0>"
    ),
)

# A frame in a message, as Python, as AutoGraph and as XLA write it.
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>\S+)', re.MULTILINE)
_LIBRARIES = re.compile(
    r"[/\\](?:site-packages|dist-packages)[/\\](?:tensorflow|keras|tf_keras|numpy|hypothesis|pytest|_pytest|pluggy|six)\b"
    r"|[/\\](?:tensorflow|keras)[/\\](?:python|src|engine|layers|utils)[/\\]"
    r"|__autograph_generated_file|^<|[/\\]lib[/\\]python\d[\d.]*[/\\][\w]+\.py$"
)
_PYTHON_ERROR = re.compile(
    r"^\s+(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Iteration|Exit|Warning)): ", re.MULTILINE
)
# Keras 2 and Keras 3.
_IN_LAYER = re.compile(
    r'Exception encountered when calling (?:layer "?[\w.]+"? \(type (\w+)\)|(\w+)\.(?:call|build)\(\))\.\s*'
)
_WRAPPERS = ("StagingError", "AutoGraphError")
# Where TensorFlow goes back from an output to the inputs: tf.GradientTape and tf.gradients.
_BACKPROP = frozenset({"backprop.py", "gradients_util.py"})
_BACKPROP_NAMES = frozenset({"gradient", "_GradientsHelper"})
_NODE = re.compile(r"(?:\{\{node |Node: '|at node '?)([^\s}']+)")


def _plain(exception: BaseException) -> str:
    # Keras 3 sets its messages in bold.
    return re.sub(r"\x1b\[[\d;]*m", "", str(exception))


def _type_and_text(exception: BaseException) -> tuple[str, str]:
    """The type that the user's code raised, and TensorFlow's text without what it was wrapped in."""
    name, text = type(exception).__name__, _plain(exception)
    if text.startswith("(") and isinstance(exception.args, tuple) and len(exception.args) > 1:
        # raise ValueError("expected", 1, "gradients"): meant as a sentence, shown as a tuple.
        text = " ".join(str(part) for part in exception.args)
    if "in user code:" in text:
        found = next(reversed(list(_PYTHON_ERROR.finditer(text))), None)
        if found:
            if name in _WRAPPERS:
                name = found["type"].rpartition(".")[2]
            text = text[found.end() :]
    return name, text


def _essence(text: str) -> str:
    """The sentence itself: without stacks, nodes and advice for the authors of TensorFlow."""
    if "Graph execution error" in text or "Detected at node" in text:
        text = re.sub(r"\A.*?Detected at node.*?\(most recent call last\):\n", "", text, flags=re.DOTALL)
        # TensorFlow 2.8 closes the stack with the node; later versions leave empty lines between frames.
        text = re.sub(r"\A.*^Node: '[^']*'\n", "", text, flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r'^\s*File "[^"]+", line \d+, in .*\n(?:\s*\n|\s{3,}\S.*\n)?', "", text, flags=re.MULTILINE)
        text = text.replace("Graph execution error:", "")
    for noise in (
        r"\d+ root error\(s\) found\.\s*\(\d\)\s+[\w ]+:\s*",
        r"\s*\(1\)\s+[A-Z_ ]+:.*\Z",
        r"(?:Stack trace for op definition|The op is created at):.*?(?=\n\s*\[\[|\n\ttf2xla|\Z)",
        r"\[\[\{?\{?(?:node )?[^\]]*\]\](?:\s*\[Op:[^\]]*\])?",
        r"\{\{function_node [^}]*\}\}\s*",
        r"tf2xla conversion failed.*?compiled functions\.",
        r"(?:\[Op:__inference[^\]]*\])",
        r"(?:Call arguments received|Arguments received by).*\Z",
        r"\t\[\[.*?\]\]",
    ):
        text = re.sub(noise, "", text, flags=re.DOTALL)
    text = _IN_LAYER.sub("", text)
    # Keras numbers layers as they are made, so the number says how often the subject ran and nothing else.
    text = re.sub(r'(layer "?[A-Za-z][\w.]*?)_\d+\b', r"\1", text)
    return text.strip()


def _line(text: str) -> str:
    """The first paragraph as one line."""
    first = re.split(r"\n\s*\n", text.strip())[0]
    # Eager mode names the operation and the other modes do not; the place in the code says it in every mode.
    first = re.sub(r"\s*\[Op:\w+\](?:\s*name:\s*\S*)?\s*$", "", first)
    first = re.sub(r"\.? for '\{\{node [^}]*\}\} = .*\Z", "", first, flags=re.DOTALL)
    first = re.sub(r"\{\{node ([^}]*)\}\}", r"\1", first)
    line = " ".join(first.split())
    if line.endswith(".") and not line.endswith(".."):
        line = line[:-1]
    if len(line) > _LONGEST:
        line = line[:_LONGEST].rsplit(" ", 1)[0] + " …"
    return line


_PACKAGE = Path(__file__).resolve().parents[1]


@cache
def _our_files() -> frozenset[tuple[str, str]]:
    return frozenset((path.parent.name, path.name) for path in _PACKAGE.rglob("*.py") if "variants" not in path.parts)


def _is_ours(file: str) -> bool:
    """Whether a frame is gradcheck's own. The bundled variants are not: they are subjects like any other."""
    path = Path(file)
    if path.is_absolute():
        return path.is_relative_to(_PACKAGE) and not path.is_relative_to(_PACKAGE / "variants")
    # XLA gives no more of a path than the last folder.
    return path.parts[-2:] in _our_files()


def is_users_file(file: str) -> bool:
    """Whether a file is neither a library's nor gradcheck's own: where advice can point to."""
    return not _LIBRARIES.search(file) and not _is_ours(file)


def _users(frames: Sequence[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """The frames of the user's own code, in order. Where gradcheck is on the stack, those that it called, and none that
    called it; of the latter there may be several stacks, one after the other.
    """
    known = [frame for frame in frames if not _LIBRARIES.search(frame[0]) or _is_ours(frame[0])]
    ours = [_is_ours(frame[0]) for frame in known]
    if not any(ours):
        return known
    first = ours.index(True)
    following = [*ours[1:], False]
    return [
        frame
        for number, (frame, own, then) in enumerate(zip(known, ours, following, strict=True))
        if number > first and not own and not then
    ]


def _where(exception: BaseException) -> str:
    """The last line of the user's own code on the way to the error; empty where there is none."""
    told = [(frame["file"], int(frame["line"]), frame["name"]) for frame in _FRAME.finditer(str(exception))]
    stack = traceback.extract_tb(exception.__traceback__)
    frames = _users(told) or _users([(frame.filename, frame.lineno or 0, frame.name) for frame in stack])
    if not frames:
        return ""
    file, line, name = frames[-1]
    return f"{PurePath(file).name}:{line}, in {name}"


def _in_backward_pass(exception: BaseException) -> bool:
    """Whether TensorFlow was forming a gradient: by the stack, or where it runs later by the name of the node."""
    if any(
        frame.name in _BACKPROP_NAMES and PurePath(frame.filename).name in _BACKPROP
        for frame in traceback.extract_tb(exception.__traceback__)
    ):
        return True
    # The first node is the one that failed; further ones only wait for it.
    node = _NODE.search(_plain(exception))
    return node is not None and bool(re.search(r"\A(?:.*/)?gradient(?:s|_tape)/", node[1]))


_PART_OF_XLA = re.compile(r"\bxla/(?:service|hlo|client|shape|literal|backends)\b|\bHLO\b")

_KERAS_VARIABLE = (
    "a Keras variable is handed to a tf.function as an argument, and TensorFlow asks for its value while it traces; "
    "hand over the tf.Variable inside (variable.value), or a tensor (tf.convert_to_tensor)"
)


def _of_a_keras_variable(exception: BaseException) -> bool:
    """Whether TensorFlow took a variable of Keras 3 for an array; the value of a tensor that the error asks for is its.

    A function's arguments are looked at before anything is computed, so nothing in the subject calls ``.numpy()``.
    """
    frames = [(PurePath(f.filename).parts[-3:], f.name) for f in traceback.extract_tb(exception.__traceback__)]
    return bool(frames) and (("backend", "common", "variables.py"), "__array__") in frames[-3:]


def _matching(text: str, mode: str) -> tuple[_Rule, re.Match[str]] | None:
    for rule in _RULES:
        # In another mode the same words mean something else: None in eager mode is not an unknown size.
        if rule.limits_of and mode not in rule.limits_of:
            continue
        match = rule.pattern.search(text)
        if match:
            return rule, match
    return None


def cause_of(exception: BaseException, mode: str = "", *, where: bool = True) -> str:
    """What went wrong, in one line that says nothing about graph nodes.

    Args:
        exception: what was raised, by TensorFlow, by Keras or by the subject itself.
        mode: ``eager``, ``graph``, ``dynamic`` or ``xla``. Without it, messages about the limits of a mode are
            left in TensorFlow's words.
        where: add the last line of the user's own code, as ``(file.py:12, in function)``, where it is known.

    Returns:
        One line. A message that is known is said in plain words; of any other the first paragraph is kept, after the
        name of the exception.
    """
    name, text = _type_and_text(exception)
    text = _essence(text)
    known = None if _of_a_keras_variable(exception) else _matching(text, mode)
    if _of_a_keras_variable(exception):
        line = _KERAS_VARIABLE
    elif known:
        line = _line(known[0].sentence(known[1]))
        if known[0].of_arguments and _in_backward_pass(exception):
            line = BACKWARD + line
    else:
        line = _line(text)
        line = f"{name}: {line}" if line else name
    layers = [first or second for first, second in _IN_LAYER.findall(_plain(exception))]
    if layers:
        line = f"in layer {layers[-1]}: {line}"
    place = _where(exception) if where else ""
    return f"{line} ({place})" if place else line


# What TensorFlow's own words say, where no rule says it in others.
_BY_MESSAGE = (
    (re.compile(r"\bCould not read index \d+ twice\b"), Reason.READ_TWICE),
    (
        re.compile(r"custom_gradient function expected to return|returned too (?:few|many) gradients"),
        Reason.GRADIENT_COUNT,
    ),
    (re.compile(r"\bimplementations? (?:do|does) not (?:yet |currently )?support "), Reason.NO_KERNEL),
    (re.compile(r"\bnot supported on (?:the )?(?:CPU|GPU)"), Reason.NO_KERNEL),
    (
        re.compile(r"\b[Nn]ot invertible\b|\bis singular\b|\bCholesky decomposition was not successful\b"),
        Reason.SINGULAR,
    ),
)
_FLOATS = re.compile(r"b?float\d+")
_DTYPE = re.compile(r"\b(?:b?float|u?int|complex)\d+\b|\b(?:bool|string)\b")

# What no other batch would mend, and the message says itself.
_OF_THE_CODE = frozenset({"AttributeError", "NameError", "ImportError", "NotImplementedError", "SyntaxError"})


def reasons_of(exception: BaseException, mode: str = "") -> tuple[Reason, ...]:
    """Why an error was raised, as keys; `Reason.RAISED` where nothing more is known.

    Args:
        exception: what was raised.
        mode: as for `cause_of`.
    """
    name, text = _type_and_text(exception)
    text = _essence(text)
    if _of_a_keras_variable(exception):
        return (Reason.OF_THE_CODE,)
    known = _matching(text, mode)
    found: list[Reason] = []
    if known and known[0].reason is not None:
        found.append(known[0].reason)
    elif known and known[0].of_arguments:
        found += _of_arguments(known[0].sentence(known[1]), backward=_in_backward_pass(exception))
    found += [reason for pattern, reason in _BY_MESSAGE if pattern.search(text)]
    if (not known and name in _OF_THE_CODE) or _where(exception).endswith(", in build"):
        found.append(Reason.OF_THE_CODE)
    return tuple(dict.fromkeys(found)) or (Reason.RAISED,)


def _of_arguments(sentence: str, *, backward: bool) -> list[Reason]:
    """Why the arguments of an operation do not go together."""
    dtypes = _DTYPE.findall(sentence)
    if not dtypes:
        return [Reason.GRADIENT_SHAPE] if backward else []
    if backward:
        return [Reason.INDICES if sorted(dtypes) == ["int32", "int64"] else Reason.GRADIENT_DTYPE]
    return [Reason.FLOAT_DTYPES if all(map(_FLOATS.fullmatch, dtypes)) else Reason.OTHER_DTYPES]


def is_unsupported(exception: BaseException, mode: str) -> bool:
    """Whether the error says that the *mode* cannot run the subject, whatever the batch.

    So it is where XLA has no kernel for an operation or needs a size that depends on the data, where a traced function
    would need the value of a tensor, and where the size of an axis is needed that the dynamic mode leaves unknown. An
    error that eager mode raises as well is one of the subject, whatever this function says: ask it for errors
    of the compiled modes only, after eager mode has run the same batch.

    Args:
        exception: what was raised.
        mode: ``eager``, ``graph``, ``dynamic`` or ``xla``.
    """
    if mode == "eager":
        return False
    if _of_a_keras_variable(exception):
        return False
    whole = _type_and_text(exception)[1]
    text = _essence(whole)
    known = _matching(text, mode)
    if known:
        return bool(known[0].limits_of)
    # XLA has many ways to say that it cannot; most of them name it, or the part of it that failed.
    named = "XLA" in text or _PART_OF_XLA.search(whole) is not None
    return mode == "xla" and (named or type(exception).__name__ == "UnimplementedError")

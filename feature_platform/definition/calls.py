"""Applies a function of the allow-list to checked arguments."""

from feature_platform.definition import coerce
from feature_platform.definition.expression import BIGINT, INT, INTEGERS, STRING, Expression
from feature_platform.definition.functions import FUNCTIONS, Parameter
from feature_platform.words import counted


def apply_function(name: str, args: list[Expression]) -> Expression:
    """Return the call with its arguments brought to the types it takes.

    Raises:
        MismatchError: Their number is wrong, or one does not fit.
    """
    function = FUNCTIONS[name]
    most = len(args) if function.repeats else len(function.parameters)
    if not len(function.parameters) - function.optional <= len(args) <= most:
        least = len(function.parameters) - function.optional
        takes = "at least " if function.repeats else f"{least} to " if least < most else ""
        number = counted(least if function.repeats else most, "argument")
        msg = f"{name} takes {takes}{number}, got {len(args)}; for example {function.example}"
        raise coerce.MismatchError(msg)
    padding = [function.parameters[-1]] * (len(args) - len(function.parameters))
    parameters = [*function.parameters, *padding]
    try:
        fitted = [_fit(arg, parameter) for arg, parameter in zip(args, parameters, strict=False)]
        if "any" in parameters:
            fitted = coerce.common(fitted)
    except coerce.MismatchError as error:
        msg = f"{name}: {error}"
        raise coerce.MismatchError(msg) from error
    result = {"string": STRING, "int": INT, "same": fitted[0].type}[function.result]
    return Expression(op="function", type=result, args=tuple(fitted), value=name)


def _fit(arg: Expression, parameter: Parameter) -> Expression:
    if parameter == "any":
        return arg
    if parameter == "string":
        return coerce.text(arg)
    if parameter == "number":
        return coerce.numbers([arg])[0]
    if parameter == "integer":
        return coerce.integer(arg)
    least = 0 if parameter == "length" else 1
    constant = arg.op == "literal" and arg.type.name in INTEGERS and int(arg.value) >= least
    if not constant:
        msg = f"the {parameter} must be an integer constant of at least {least}"
        raise coerce.MismatchError(msg)
    if parameter == "divisor":  # as BIGINT: Flink's MOD has the type of its divisor
        return Expression(op="cast", type=BIGINT, args=(arg,))
    return arg

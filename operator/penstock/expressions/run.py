"""One running template: it gives the values that compiled code asks for.

The generated code calls a :class:`Run` for everything: variables, paths, operators, filters,
functions. So this is where scopes live, where missing variables are noticed, and where any other
Python exception turns into an :class:`ExpressionError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from penstock.expressions.errors import ExpressionError, LimitError, UndefinedError
from penstock.expressions.limits import Budget
from penstock.expressions.members import MISSING, member
from penstock.expressions.methods import calls as methods
from penstock.expressions.operators import BINARY
from penstock.expressions.printing import to_text
from penstock.expressions.registry import FILTERS, FUNCTIONS, TESTS
from penstock.expressions.truth import kind, pebble_truth
from penstock.expressions.values import Entry, is_empty

if TYPE_CHECKING:
    from penstock.expressions.host import Host
    from penstock.expressions.program import Program

MAX_CALLS = 50


class Run:
    """The running template. ``eval_ctx`` and ``resolve_or_missing`` are Jinja2's preamble."""

    __slots__ = ("budget", "calls", "host", "program", "render_text", "scopes", "variables")

    eval_ctx = None

    def __init__(
        self,
        program: Program,
        variables: Mapping[str, Any],
        host: Host,
        budget: Budget,
        render_text: Callable[[str, Run], str],
    ) -> None:
        self.program = program
        self.variables = variables
        self.host = host
        self.budget = budget
        self.render_text = render_text
        self.scopes: list[dict[str, Any]] = [{}]
        self.calls = 0

    def resolve_or_missing(self, key: str) -> NoReturn:
        """Refuse the lookup that Jinja2's preamble binds; generated code has no use for it."""
        raise AssertionError(key)

    # --- variables ------------------------------------------------------------------------------

    def lookup(self, name: str) -> Any:
        """The value of a root variable, or a marker."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        try:
            return self.variables[name]
        except KeyError:
            return MISSING

    def variable(self, line: int, name: str) -> Any:
        value = self.lookup(name)
        if value is MISSING:
            raise UndefinedError(name, line)
        return value

    def optional(self, name: str) -> Any:
        """A root variable, or None."""
        value = self.lookup(name)
        return None if value is MISSING else value

    def assign(self, line: int, name: str, value: Any) -> None:
        """Do ``set``: change the variable in the scope that has it, else make it in this one."""
        for scope in reversed(self.scopes):
            if name in scope:
                scope[name] = value
                return
        self.scopes[-1][name] = value

    def path(self, line: int, value: Any, *keys: Any) -> Any:
        """The value of ``value.key[0]``: keys of maps, indexes of lists, else a method without
        arguments."""
        for key in keys:
            found = member(value, key)
            value = self.property(line, value, key) if found is MISSING else found
        return value

    def property(self, line: int, value: Any, name: Any) -> Any:
        """The value of ``value.name`` where there is no such key: that of a method without
        arguments."""
        if not methods.has_property(self, value, name):
            raise UndefinedError(to_text(name, self.budget), line)
        return self.invoke(line, name, value)

    def invoke(self, line: int, name: str, value: Any, *args: Any) -> Any:
        """The value of ``value.name(…)``, a method of the tables in ``methods``."""
        if value is None:
            raise UndefinedError(name, line)
        what = f"`{name}()`"
        return self.guarded(what, line, _method, value, (name, args), {})

    def map(self, line: int, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, value in pairs:
            if isinstance(key, list | tuple | dict | set):
                raise ExpressionError(f"a key of a map cannot be {kind(key)}", line=line)
            result[key] = value
        return result

    # --- control --------------------------------------------------------------------------------

    def truth(self, line: int, value: Any) -> bool:
        try:
            return pebble_truth(value)
        except ExpressionError as error:
            raise error.locate(line) from None

    def loop_items(self, line: int, value: Any) -> list[Any] | None:
        """The items over which ``for`` walks: of a list, or the entries of a map. Null gives
        None."""
        if value is None:
            return None
        if isinstance(value, Mapping):
            self.budget.items(len(value))
            return [Entry(key, item) for key, item in value.items()]
        if isinstance(value, list | tuple | set | frozenset | range):
            self.budget.items(len(value))
            return list(value)
        hint = "; use `fromJson(…)` if it holds JSON" if isinstance(value, str) else ""
        raise ExpressionError(f"`for` needs a list or a map, not {kind(value)}{hint}", line=line)

    def loop(self, line: int, items: list[Any] | None, name: str) -> Iterator[None]:
        if not items:
            return
        length = len(items)
        scope: dict[str, Any] = {}
        self.scopes.append(scope)
        try:
            for index, item in enumerate(items):
                self.budget.check_time()
                scope["loop"] = {
                    "index": index,
                    "first": index == 0,
                    "last": index == length - 1,
                    "length": length,
                    "revindex": length - index - 1,
                }
                scope[name] = item
                yield
        except ExpressionError as error:
            raise error.locate(line) from None
        finally:
            self.scopes.pop()

    def fragment(self, number: int, scope: dict[str, Any] | None = None) -> str:
        """Run a body of its own to text, in a scope of its own."""
        parts: list[str] = []
        for value in self.fragment_values(number, scope):
            text = to_text(value, self.budget)
            self.budget.text(len(text))
            parts.append(text)
        text = "".join(parts)
        self.budget.text(len(text))
        return text

    def fragment_values(self, number: int, scope: dict[str, Any] | None = None) -> list[Any]:
        self.enter()
        self.scopes.append({} if scope is None else scope)
        try:
            return self.collect(self.program.fragments[number](self))
        finally:
            self.scopes.pop()
            self.calls -= 1

    def refuse_print(self, *values: Any) -> None:
        """Raise where the values can't be made to text here."""

    def collect(self, values: Iterator[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            self.budget.items(1)
            found.append(value)
        return found

    def enter(self) -> None:
        """Count calls inside calls: macros and `render` may call themselves."""
        self.budget.check_time()
        if self.calls >= MAX_CALLS:
            raise LimitError(f"macros call each other more than {MAX_CALLS} deep")
        self.calls += 1

    # --- missing values -------------------------------------------------------------------------

    def first_value(self, left: Callable[[], Any], right: Callable[[], Any]) -> Any:
        """The value of ``a ?? b``."""
        try:
            value = left()
        except UndefinedError:
            return right()
        return right() if value is None else value

    def first_defined(self, left: Callable[[], Any], right: Callable[[], Any]) -> Any:
        """The value of ``a ??? b``."""
        try:
            return left()
        except UndefinedError:
            return right()

    def default(self, line: int, value: Callable[[], Any], replacement: Any) -> Any:
        try:
            found = value()
        except UndefinedError:
            return replacement
        return replacement if is_empty(found) else found

    def is_defined(self, value: Callable[[], Any]) -> bool:
        try:
            return value() is not None
        except UndefinedError:
            return False

    # --- operations -----------------------------------------------------------------------------

    def concat(self, line: int, *parts: Any) -> str:
        texts = [to_text(part, self.budget) for part in parts]
        self.budget.text(sum(map(len, texts)))
        return "".join(texts)

    def binary(self, line: int, operator: str, left: Any, right: Any) -> Any:
        try:
            return BINARY[operator](self.budget, left, right)
        except ExpressionError as error:
            raise error.locate(line) from None
        except Exception as error:
            raise _wrapped(f"`{operator}`", error, line) from error

    def filter(self, line: int, name: str, value: Any, *args: Any, **named: Any) -> Any:
        entry = FILTERS[name]
        if value is None and not entry.takes_null:
            return None
        return self.guarded(f"the filter `{name}`", line, entry.call, value, args, named)

    def test(self, line: int, name: str, value: Any, *args: Any, **named: Any) -> bool:
        what = f"the test `{name}`"
        return bool(self.guarded(what, line, TESTS[name].call, value, args, named))

    def guarded(
        self,
        what: str,
        line: int,
        call: Callable[..., Any],
        value: Any,
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        self.budget.check_time()
        try:
            return call(self, value, *args, **named)
        except ExpressionError as error:
            raise error.locate(line) from None
        except Exception as error:
            raise _wrapped(what, error, line) from error

    def call(self, line: int, name: str, *args: Any, **named: Any) -> Any:
        self.budget.check_time()
        try:
            if name in self.program.macros:
                return self.macro(name, args, named)
            if name in self.host.functions:
                return self.call_host(name, args, named)
            entry = FUNCTIONS.get(name)
            if entry is None:
                raise ExpressionError(f"`{name}()` is not available here")
            return entry.call(self, *args, **named)
        except ExpressionError as error:
            raise error.locate(line) from None
        except Exception as error:
            raise _wrapped(f"`{name}()`", error, line) from error

    def call_host(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        start = self.budget.clock()
        try:
            return self.host.functions[name](*args, **named)
        finally:
            self.budget.extend(self.budget.clock() - start)

    def macro(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> str:
        macro = self.program.macros[name]
        if len(args) > len(macro.parameters):
            raise ExpressionError(f"the macro `{name}` takes {len(macro.parameters)} argument(s)")
        scope: dict[str, Any] = dict.fromkeys(macro.parameters)
        for parameter, number in macro.defaults.items():
            values = self.fragment_values(number)
            scope[parameter] = values[0] if values else None
        scope.update(zip(macro.parameters, args, strict=False))
        for key in named:
            if key not in macro.parameters:
                raise ExpressionError(f"the macro `{name}` has no argument `{key}`")
        return self.fragment(macro.body, scope | named)


def _method(run: Run, value: Any, name: str, args: tuple[Any, ...]) -> Any:
    return methods.call(run, name, value, args)


def _wrapped(what: str, error: Exception, line: int) -> ExpressionError:
    if isinstance(error, RecursionError):
        return LimitError("a value is nested too deeply", line=line)
    if isinstance(error, MemoryError):
        return LimitError("not enough memory", line=line)
    text = str(error) or type(error).__name__
    return ExpressionError(f"{what} failed: {text}", line=line)

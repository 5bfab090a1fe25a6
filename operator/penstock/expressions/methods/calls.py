"""Which method a name means for a value, and its call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from penstock.expressions.errors import ExpressionError, NoMethodError, UnknownNameError
from penstock.expressions.methods.collections_ import ENTRY, LIST, MAP
from penstock.expressions.methods.dates import CONSTANT, DAY, MOMENT, DayOfWeek, Month, read_date
from penstock.expressions.methods.numbers import BOOLEAN, NUMBER
from penstock.expressions.methods.refused import hint
from penstock.expressions.methods.table import Method, Methods
from penstock.expressions.methods.texts import TEXT
from penstock.expressions.suggestions import closest
from penstock.expressions.truth import kind
from penstock.expressions.values import Entry, is_list, is_number, plain

if TYPE_CHECKING:
    from penstock.expressions.rendering import Rendering

TABLES: Mapping[str, Methods] = {
    "Texts": TEXT,
    "Lists": LIST,
    "Maps": MAP,
    "Entries of maps": ENTRY,
    "Numbers": NUMBER,
    "Booleans": BOOLEAN,
    "Dates": DAY,
    "Dates with a time": MOMENT,
    "Days of the week and months": CONSTANT,
}

PASS_ON = frozenset(
    {"size", "isempty", "get", "getordefault", "containskey", "keyset", "values", "entryset"}
    | {"getfirst", "getlast", "sublist", "reversed", "getkey", "getvalue"}
)
"""Methods of lists, maps and entries that look at no item or value, only at places and keys."""


def check(name: str, count: int, line: int) -> None:
    """Raise where no value has a method of this name, or none with so many arguments."""
    found = [method for table in TABLES.values() for method in table.named(name)]
    if not found:
        raise UnknownNameError(_unknown(name), line=line)
    if not any(method.accepts(count) for method in found):
        written = " or ".join(sorted({f"`{method.signature}`" for method in found}))
        raise ExpressionError(
            f"`{name}()` is written {written}, not with {count} argument(s)", line=line
        )


def call(run: Rendering, name: str, value: Any, args: Sequence[Any]) -> Any:
    """Call the method of a value."""
    found = _find(run, name, value, len(args))
    if found is None:
        owner = kind(plain(value))
        raise NoMethodError(name, f"{owner} has no method `{name}()`; {_owners(name)}")
    return _result(run, found[1].call(run, found[0], *found[1].arguments(args)))


def has_property(run: Rendering, value: Any, name: Any) -> bool:
    """Whether a name without parentheses means a method of a value. Of a map it means a key
    alone."""
    if not isinstance(name, str) or value is None or isinstance(value, Mapping):
        return False
    return _find(run, name, value, 0) is not None


def _find(run: Rendering, name: str, value: Any, count: int) -> tuple[Any, Method] | None:
    """The method that a name means, and the value as it takes it: a text that is a date becomes one
    for the methods of dates."""
    value = value if isinstance(value, DayOfWeek | Month) else plain(value)
    method = _in(_tables(value), name, count)
    if method is None and type(value) is str and _in((DAY, MOMENT), name, count):
        value = read_date(run, value)
        method = _in(_tables(value), name, count)
    return None if method is None else (value, method)


def _in(tables: Sequence[Methods], name: str, count: int) -> Method | None:
    found = (table.find(name, count) for table in tables)
    return next((method for method in found if method is not None), None)


def _tables(value: Any) -> tuple[Methods, ...]:
    if isinstance(value, DayOfWeek | Month):
        return (CONSTANT,)
    if isinstance(value, str):
        return (TEXT,)
    if isinstance(value, bool):
        return (BOOLEAN,)
    if is_number(value):
        return (NUMBER,)
    if isinstance(value, Entry):
        return (ENTRY,)
    if isinstance(value, Mapping):
        return (MAP,)
    if is_list(value):
        return (LIST,)
    if isinstance(value, datetime):
        return (DAY, MOMENT)
    return (DAY,) if isinstance(value, date) else ()


def _result(run: Rendering, value: Any) -> Any:
    """The result of a method, counted as if the template had built it."""
    if isinstance(value, str):
        run.budget.text(len(value))
    elif isinstance(value, list):
        run.budget.items(len(value))
    return value


def _unknown(name: str) -> str:
    advice = hint(name)
    if advice is None:
        known = [method.name for table in TABLES.values() for method in table.rows.values()]
        advice = closest(name, known)
    text = f"there is no method `{name}()`"
    return f"{text}: {advice}" if advice else f"{text}; see the filters and functions"


def _owners(name: str) -> str:
    """Which values have a method of this name, and what there is for the others."""
    owners = sorted({table.of for table in TABLES.values() if any(table.named(name))})
    advice = hint(name)
    return f"{' and '.join(owners)} have one" + (f"; {advice}" if advice else "")

"""Methods of lists, maps and their entries: those of ``java.util`` that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.limits import Budget
from penstock.expressions.members import MISSING, entry
from penstock.expressions.methods.table import Methods
from penstock.expressions.operators import equals
from penstock.expressions.printing import MAX_JSON_DEPTH, to_text
from penstock.expressions.values import Entry, is_list, is_map

if TYPE_CHECKING:
    from penstock.expressions.rendering import Rendering

LIST = Methods("lists")
MAP = Methods("maps")
ENTRY = Methods("entries of maps")


def java_text(value: Any, budget: Budget, depth: int = 0) -> str:
    """A value as Java's ``toString`` writes it: ``[a, b]`` and ``{a=1, b=2}``, null as `null`."""
    if depth > MAX_JSON_DEPTH:
        raise LimitError("a value is nested too deeply to print")
    if value is None:
        return "null"
    if isinstance(value, Entry):
        return "=".join(java_text(part, budget, depth + 1) for part in value)
    if not is_map(value) and not is_list(value):
        return to_text(value, budget)
    budget.check_time()
    budget.items(len(value))
    if is_map(value):
        pairs = [Entry(*pair) for pair in value.items()]
        text = "{" + ", ".join(java_text(pair, budget, depth + 1) for pair in pairs) + "}"
    else:
        text = "[" + ", ".join(java_text(item, budget, depth + 1) for item in value) + "]"
    budget.text(len(text))
    return text


def _items(run: Rendering, value: Any) -> list[Any]:
    run.budget.items(len(value))
    return list(value)


def _at(run: Rendering, value: Any, index: int) -> Any:
    if not 0 <= index < len(value):
        raise ExpressionError(f"the index {index} is outside of a list of {len(value)} items")
    return value[index] if isinstance(value, list) else list(value)[index]


def _end(run: Rendering, value: Any, index: int) -> Any:
    if not value:
        raise ExpressionError("the list is empty")
    return list(value)[index]


def _index_of(run: Rendering, value: Any, item: Any) -> int:
    run.budget.check_time()
    items = _items(run, value)
    return next((at for at, other in enumerate(items) if equals(run.budget, item, other)), -1)


def _last_index_of(run: Rendering, value: Any, item: Any) -> int:
    found = _index_of(run, list(value)[::-1], item)
    return found if found < 0 else len(value) - 1 - found


def _contains(run: Rendering, value: Any, item: Any) -> bool:
    return _index_of(run, value, item) >= 0


def _contains_all(run: Rendering, value: Any, items: list[Any]) -> bool:
    return all(_contains(run, value, item) for item in items)


def _sub_list(run: Rendering, value: Any, begin: int, end: int) -> list[Any]:
    if not 0 <= begin <= end <= len(value):
        raise ExpressionError(
            f"the part from {begin} to {end} is outside of a list of {len(value)} items"
        )
    return _items(run, value)[begin:end]


def _get(run: Rendering, value: Mapping[Any, Any], key: Any, default: Any = None) -> Any:
    found = entry(value, key)
    return default if found is MISSING else found


def _entries(run: Rendering, value: Mapping[Any, Any]) -> list[Entry]:
    run.budget.items(len(value))
    return [Entry(*pair) for pair in value.items()]


# fmt: off
LIST.add_all([
    ("size()", "How many items it has.", "[1, 2].size() → 2", lambda run, value: len(value)),
    ("isEmpty()", "Whether it has none.", "[].isEmpty() → true",
     lambda run, value: len(value) == 0),
    ("get(index: int)", "The item at an index.", "inputs.numbers.get(0) → 3", _at),
    ("getFirst()", "The first item.", "inputs.numbers.getFirst() → 3",
     lambda run, value: _end(run, value, 0)),
    ("getLast()", "The last item.", "inputs.numbers.getLast() → 2",
     lambda run, value: _end(run, value, -1)),
    ("contains(item: any)", "Whether it has an item.", "inputs.numbers.contains(3) → true",
     _contains),
    ("containsAll(items: list)", "Whether it has all of these.",
     "inputs.numbers.containsAll([1, 9]) → false", _contains_all),
    ("indexOf(item: any)", "Where an item first stands, or -1.",
     "inputs.numbers.indexOf(2) → 2", _index_of),
    ("lastIndexOf(item: any)", "Where an item last stands, or -1.",
     "['a', 'b', 'a'].lastIndexOf('a') → 2", _last_index_of),
    ("subList(begin: int, end: int)", "The items from one index up to another.",
     "inputs.numbers.subList(0, 2) → [3,1]", _sub_list),
    ("reversed()", "From the last to the first.", "inputs.numbers.reversed() → [2,1,3]",
     lambda run, value: _items(run, value)[::-1]),
    ("equals(other: any)", "Whether the other has the same items in the same order.",
     "[1, 2].equals([1, 2]) → true",
     lambda run, value, other: equals(run.budget, value, other)),
    ("toString()", "As Java writes it.", "['a', null].toString() → [a, null]",
     lambda run, value: java_text(value, run.budget)),
])

MAP.add_all([
    ("size()", "How many entries it has.", "{'a': 1}.size() → 1", lambda run, value: len(value)),
    ("isEmpty()", "Whether it has none.", "{}.isEmpty() → true",
     lambda run, value: len(value) == 0),
    ("get(key: any)", "The value of a key, or null.", "outputs.measure.get('Oslo').value → 4",
     _get),
    ("getOrDefault(key: any, default: any)", "The value of a key, or a default.",
     "{'a': 1}.getOrDefault('b', 0) → 0", _get),
    ("containsKey(key: any)", "Whether it has a key.", "outputs.containsKey('extract') → true",
     lambda run, value, key: entry(value, key) is not MISSING),
    ("containsValue(value: any)", "Whether one of its values is this.",
     "{'a': 1}.containsValue(1) → true",
     lambda run, value, item: _contains(run, list(value.values()), item)),
    ("keySet()", "Its keys.", "outputs.measure.keySet() → [\"Oslo\",\"Lima\"]", _items),
    ("values()", "Its values.", "{'a': 1, 'b': 2}.values() → [1,2]",
     lambda run, value: _items(run, value.values())),
    ("entrySet()", "Its entries.", "{'a': 1}.entrySet()[0].getKey() → a", _entries),
    ("equals(other: any)", "Whether the other has the same entries.",
     "{'a': 1}.equals({'a': 2}) → false",
     lambda run, value, other: equals(run.budget, value, other)),
    ("toString()", "As Java writes it.", "{'a': 1, 'b': null}.toString() → {a=1, b=null}",
     lambda run, value: java_text(value, run.budget)),
])

ENTRY.add_all([
    ("getKey()", "The key.", "{'a': 1}.entrySet()[0].getKey() → a", lambda run, value: value.key),
    ("getValue()", "The value.", "{'a': 1}.entrySet()[0].getValue() → 1",
     lambda run, value: value.value),
    ("toString()", "As Java writes it.", "{'a': 1}.entrySet()[0].toString() → a=1",
     lambda run, value: java_text(value, run.budget)),
])
# fmt: on

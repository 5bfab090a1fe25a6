"""Methods of texts: those of ``java.lang.String`` that give something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.expressions import regexes
from penstock.expressions.errors import ExpressionError
from penstock.expressions.methods import utf16
from penstock.expressions.methods.table import Methods
from penstock.expressions.printing import to_text

if TYPE_CHECKING:
    from penstock.expressions.rendering import Rendering

TEXT = Methods("texts")

_CONTROLS = "".join(map(chr, range(33)))
"""The characters that ``trim`` removes: all up to the space."""
_WHITE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009"
    "\u200a\u2028\u2029\u205f\u3000"
)
"""The characters that the methods `strip…` remove, by Java's ``Character.isWhitespace``: no
no-break spaces."""


def _starts_with(run: Rendering, text: str, prefix: str, offset: int = 0) -> bool:
    return 0 <= offset <= utf16.length(text) and utf16.part(text, offset).startswith(prefix)


def _index_of(run: Rendering, text: str, wanted: str, begin: int = 0) -> int:
    return utf16.find(text, wanted, begin)


def _last_index_of(run: Rendering, text: str, wanted: str, begin: int | None = None) -> int:
    return utf16.find_last(text, wanted, utf16.length(text) if begin is None else begin)


def _replace(run: Rendering, text: str, old: str, new: str) -> str:
    count = text.count(old)
    run.budget.text(len(text) + count * max(len(new) - len(old), 0))
    return text.replace(old, new)


def _replace_all(run: Rendering, text: str, regex: str, replacement: str) -> str:
    return regexes.replace(run.budget, text, regex, replacement)


def _replace_first(run: Rendering, text: str, regex: str, replacement: str) -> str:
    return regexes.replace(run.budget, text, regex, replacement, most=1)


def _split(run: Rendering, text: str, regex: str, limit: int = 0) -> list[str]:
    return regexes.split(run.budget, text, regex, limit)


def _repeat(run: Rendering, text: str, count: int) -> str:
    if count < 0:
        raise ExpressionError(f"`repeat()` takes a `count` of 0 or more, not {count}")
    run.budget.text(len(text) * count)
    return text * count


def _concat(run: Rendering, text: str, other: str) -> str:
    run.budget.text(len(text) + len(other))
    return text + other


def _join(run: Rendering, text: str, delimiter: str, items: list[Any]) -> str:
    texts = ["null" if item is None else to_text(item, run.budget) for item in items]
    run.budget.text(sum(map(len, texts)) + len(delimiter) * len(texts))
    return delimiter.join(texts)


def _equals_ignoring_case(run: Rendering, text: str, other: Any) -> bool:
    if not isinstance(other, str) or len(text) != len(other):
        return False
    return all(map(_same_letter, text, other))


def _same_letter(one: str, two: str) -> bool:
    return one == two or one.upper() == two.upper() or one.lower() == two.lower()


def _compare_ignoring_case(run: Rendering, text: str, other: str) -> int:
    return utf16.compare(text.upper().lower(), other.upper().lower())


def _equals(run: Rendering, text: str, other: Any) -> bool:
    return isinstance(other, str) and text == other


# fmt: off
TEXT.add_all([
    ("length()", "How many units of UTF-16 it has.",
     "'abc'.length() → 3", lambda run, text: utf16.length(text)),
    ("isEmpty()", "Whether it has the length 0.",
     "''.isEmpty() → true", lambda run, text: text == ""),
    ("isBlank()", "Whether it is empty or white space only.",
     "'  '.isBlank() → true", lambda run, text: text.strip(_WHITE) == ""),
    ("charAt(index: int)", "The character at an index.",
     "'abc'.charAt(1) → b", lambda run, text, index: utf16.unit(text, index)),
    ("codePointAt(index: int)", "The number of the character at an index.",
     "'abc'.codePointAt(0) → 97", lambda run, text, index: utf16.code_point(text, index)),
    ("substring(begin: int, end: int?)", "The part from one index up to another, or to the end.",
     "'abcdef'.substring(1, 3) → bc",
     lambda run, text, begin, end=None: utf16.part(text, begin, end)),
    ("subSequence(begin: int, end: int)", "As `substring`.",
     "'abcdef'.subSequence(2, 4) → cd",
     lambda run, text, begin, end: utf16.part(text, begin, end)),
    ("indexOf(text: text, from: int?)", "Where a text first stands, or -1.",
     "'banana'.indexOf('an', 2) → 3", _index_of),
    ("lastIndexOf(text: text, from: int?)", "Where a text last stands, or -1.",
     "'banana'.lastIndexOf('an') → 3", _last_index_of),
    ("contains(text: text)", "Whether a text is part of it.",
     "'banana'.contains('nan') → true", lambda run, text, other: other in text),
    ("startsWith(prefix: text, offset: int?)", "Whether it begins so.",
     "'report.csv'.startsWith('rep') → true", _starts_with),
    ("endsWith(suffix: text)", "Whether it ends so.",
     "'report.csv'.endsWith('.csv') → true", lambda run, text, end: text.endswith(end)),
    ("matches(regex: text)", "Whether the whole text matches a Java regular expression.",
     "'a12'.matches('[a-z][0-9]+') → true",
     lambda run, text, regex: regexes.matches(run.budget, text, regex)),
    ("replace(old: text, new: text)", "With each `old` replaced, letter by letter.",
     "'a/b/c'.replace('/', '_') → a_b_c", _replace),
    ("replaceAll(regex: text, replacement: text)", "With each match of a regular expression "
     "replaced; `$1` is a group.", "'a1b22'.replaceAll('[0-9]+', '-') → a-b-", _replace_all),
    ("replaceFirst(regex: text, replacement: text)", "With the first match replaced.",
     "'a1b22'.replaceFirst('[0-9]+', '-') → a-b22", _replace_first),
    ("split(regex: text, limit: int?)", "Its parts; empty ones at the end go unless there is a "
     "limit.", "'a/b//'.split('/') → [\"a\",\"b\"]", _split),
    ("trim()", "Without spaces and control characters at both ends.",
     "'  a b '.trim() → a b", lambda run, text: text.strip(_CONTROLS)),
    ("strip()", "Without white space at both ends.",
     "'  a b '.strip() → a b", lambda run, text: text.strip(_WHITE)),
    ("stripLeading()", "Without white space at the beginning.",
     "'  ab'.stripLeading() → ab", lambda run, text: text.lstrip(_WHITE)),
    ("stripTrailing()", "Without white space at the end.",
     "'ab  '.stripTrailing() → ab", lambda run, text: text.rstrip(_WHITE)),
    ("toUpperCase()", "In upper case.", "'Ada'.toUpperCase() → ADA",
     lambda run, text: text.upper()),
    ("toLowerCase()", "In lower case.", "'Ada'.toLowerCase() → ada",
     lambda run, text: text.lower()),
    ("concat(text: text)", "With another text behind it.", "'a'.concat('b') → ab", _concat),
    ("repeat(count: int)", "So many times.", "'ab'.repeat(3) → ababab", _repeat),
    ("join(delimiter: text, items: list)", "The items of a list, whatever the text is before the "
     "dot.", "''.join('-', [1, 2]) → 1-2", _join),
    ("equals(other: any)", "Whether the other is the same text.",
     "'a'.equals('A') → false", _equals),
    ("equalsIgnoreCase(other: any)", "The same without regard to upper and lower case.",
     "'a'.equalsIgnoreCase('A') → true", _equals_ignoring_case),
    ("compareTo(other: text)", "Below 0, 0 or above 0, by the first characters that differ.",
     "'a'.compareTo('c') → -2", lambda run, text, other: utf16.compare(text, other)),
    ("compareToIgnoreCase(other: text)", "As `compareTo` without regard to upper and lower case.",
     "'a'.compareToIgnoreCase('C') → -2", _compare_ignoring_case),
    ("hashCode()", "A number of 32 bits, always the same for the same text.",
     "'abc'.hashCode() → 96354", lambda run, text: utf16.hash_code(text)),
    ("intern()", "The text itself.", "'a'.intern() → a", lambda run, text: text),
    ("toString()", "The text itself.", "'a'.toString() → a", lambda run, text: text),
])
# fmt: on

"""How numbers pass through jq as they are.

jq keeps a number that it only passes on as it was written, however long, but hands it to Python
as a double. So every output leaves jq as JSON text. What jq computes is a double as well: where
whole numbers beyond 2⁵³ take part, ``+`` and ``-`` are replaced by ones that add in two halves.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from penstock.expressions.errors import ExpressionError, LimitError

_LONG_NUMBER = re.compile(r"\d{16}")
_EXACT_SUMS = r"""
def penstock_plus($x; $y): $x + $y;
def penstock_minus($x; $y): $x - $y;
def penstock_whole: tostring | test("^-?[0-9]{1,24}$");
def penstock_beyond($x; $y):
  ($x | type) == "number" and ($y | type) == "number"
  and ($x | fabs) + ($y | fabs) >= 9007199254740992
  and ($x | penstock_whole) and ($y | penstock_whole);
def penstock_halves:
  tostring | (if startswith("-") then [-1, .[1:]] else [1, .] end)
  | [.[0] * (.[1][:-9] | if . == "" then 0 else tonumber end), .[0] * (.[1][-9:] | tonumber)];
def penstock_padded: tostring | "000000000"[length:] + .;
def penstock_joined($high; $low; $sign):
  if $high == 0 then $sign * $low
  else ((if $sign < 0 then "-" else "" end) + ($high | tostring) + ($low | penstock_padded))
    | tonumber end;
def penstock_sum($x; $y):
  ($x[1] + $y[1]) as $low | ($low / 1000000000 | floor) as $carry
  | ($x[0] + $y[0] + $carry) as $high | ($low - $carry * 1000000000) as $rest
  | if $high >= 0 then penstock_joined($high; $rest; 1)
    elif $rest == 0 then penstock_joined(-$high; 0; -1)
    else penstock_joined(-$high - 1; 1000000000 - $rest; -1) end;
def _plus(a; b): b as $y | a as $x
  | if penstock_beyond($x; $y)
    then penstock_sum($x | penstock_halves; $y | penstock_halves)
    else penstock_plus($x; $y) end;
def _minus(a; b): b as $y | a as $x
  | if penstock_beyond($x; $y)
    then penstock_sum($x | penstock_halves; $y | penstock_halves | map(-.))
    else penstock_minus($x; $y) end;
def add: reduce .[] as $x (null; . + $x);
def add(f): reduce f as $x (null; . + $x);
"""


SLOWER = 10
"""How many times as long an exact sum takes."""


def sums_exactly(program: str, text: str) -> bool:
    """Whether whole numbers beyond 2⁵³ may take part, in the program or in its input."""
    return bool(_LONG_NUMBER.search(text) or _LONG_NUMBER.search(program))


def in_json(program: str, text: str) -> str:
    """The program with JSON texts as its outputs, for an input that is this JSON text."""
    is_long = sums_exactly(program, text)
    # Two line breaks: a comment that ends with a backslash goes on in the next line.
    return f"{_EXACT_SUMS if is_long else ''}({program}\n\n) | tojson"


def read_output(text: str) -> Any:
    """One output of a program in JSON: integers of any size, doubles no larger than any is."""
    try:
        return json.loads(text, parse_float=_double)
    except RecursionError:
        raise LimitError("the output of jq is nested too deeply") from None
    except ValueError:  # Python reads no integer of more than 4300 digits
        raise ExpressionError("the output of jq has a number with too many digits") from None


def _double(text: str) -> float:
    return max(-sys.float_info.max, min(float(text), sys.float_info.max))

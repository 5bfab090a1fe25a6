"""Keeps secrets out of a script's log: the part of the prelude that a script with secrets has.

An `awk` of the user's image stands before the copy, so whatever is kept of the output (the log, and
the lines with values) never has secrets in it. It reads the values from the environment and
replaces texts, not patterns; line by line, and each line at once. It can't know a value that the
script itself encodes. As it works by lines, output without a line end at its end gets one.

Without `awk` the script does not run: its output would show what must not be shown.
"""

from __future__ import annotations

from penstock.tasks.contract.masking import MASK, MIN_LENGTH

MASKS_VARIABLE = "PENSTOCK_MASKS"
"""Names a file with further texts that must not be shown, one to a line."""

_AWK = r"""
function add(text, i, c, escaped) {
  gsub(/^[ \t\r]+|[ \t\r]+$/, "", text)
  keep(text)
  escaped = ""
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    escaped = escaped (c == "\\" || c == "\"" ? "\\" c : c)
  }
  keep(escaped)
}
function keep(text, i) {
  if (length(text) < @MIN@ || text in seen) return
  seen[text] = 1
  for (i = ++n; i > 1 && length(list[i - 1]) < length(text); i--) list[i] = list[i - 1]
  list[i] = text
}
BEGIN {
  for (k = 1; ("PENSTOCK_SECRET_" k) in ENVIRON; k++) {
    m = split(ENVIRON["PENSTOCK_SECRET_" k], lines, "\n")
    for (j = 1; j <= m; j++) add(lines[j])
  }
  file = ENVIRON["@MASKS@"]
  if (file != "") while ((getline text < file) > 0) keep(text)
}
{
  line = $0
  for (k = 1; k <= n; k++) {
    if (!(at = index(line, list[k]))) continue
    done = ""
    for (; at; at = index(line, list[k])) {
      done = done substr(line, 1, at - 1) "@MASK@"
      line = substr(line, at + length(list[k]))
    }
    line = done line
  }
  print line
  fflush()
}
"""

_FUNCTION = r"""
__penstock_mask() {
  trap '' PIPE TERM INT QUIT HUP
  case $(awk -W version </dev/null 2>&1) in
    *mawk*) __penstock_live='-W interactive' ;;
    *) __penstock_live= ;;
  esac
  LC_ALL=C exec awk $__penstock_live '@AWK@' <"$__penstock_run/$1" >"$__penstock_run/$1.masked"
}
"""

_REFUSAL = r"""
if [ -z "$__penstock_tools" ]; then
  printf 'penstock/1 inline result 1 1\n{"message": "%s"}\n' \
    'the image has no `awk` or no `mkfifo`, which keep secrets out of the log: use another image' \
    >"$__penstock_message"
  exit 1
fi
"""

_PROGRAM = (
    _AWK.strip()
    .replace("@MIN@", str(MIN_LENGTH))
    .replace("@MASKS@", MASKS_VARIABLE)
    .replace("@MASK@", MASK)
)

MASKING = {
    "@MASKED@": ".masked",
    "@MASK_FUNCTION@": _FUNCTION.strip().replace("@AWK@", _PROGRAM) + "\n",
    "@MASK_TOOLS@": " awk",
    "@MASK_PIPES@": '"$__penstock_run/out.masked" "$__penstock_run/err.masked" ',
    "@MASK_REFUSAL@": _REFUSAL.strip() + "\n",
    "@MASK_START@": (
        '  __penstock_mask out & __penstock_tees="$__penstock_tees $!"\n'
        '  __penstock_mask err & __penstock_tees="$__penstock_tees $!"\n'
    ),
}
"""What stands in the prelude's places of a script with secrets; of one without, nothing does."""

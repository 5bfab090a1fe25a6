"""The prelude: a few lines of POSIX shell before a script in the user's own image.

No container, sidecar or program of ours is put into a script's pod, so the shell that is there has
to keep the outputs of the script. It runs the command in a work directory, passes both streams
through byte by byte, and beside that keeps the lines that may hold values; at the end it publishes
them as :mod:`penstock.tasks.contract.framing` says.

What it has to get right, and how:

- The user's text comes as positional arguments and is never evaluated here.
- The exit code is the command's own; SIGTERM (or whatever stop signal the image names) goes to the
  command at once. The command runs in the background for that, so as every background command of a
  shell it starts with SIGINT and SIGQUIT ignored.
- A process that is left behind and holds the pipes is waited for 2 s, then its pipes are closed.
- Messages for the log alone don't count as values, however many there are.
- One endless line doesn't fill the memory (`cut`), and endless values don't fill the disk (`head`).
- If the copy breaks, the output goes on: the copying `tee` ignores SIGPIPE.
- The kubelet looks at a log every 10 s and moves it away once it has 10 MiB, and what was moved
  can't be read through the API. So after much output the values wait for the move that is due, and
  come at the beginning of the next file (without this wait, 1 of 16 such scripts lost its values on
  a busy node). The amount of output stands in `/proc`, which counts for the children of a process
  as well.
- Without the tools (a bare image) the command runs plainly, and the log itself is looked through.
- Where the pod has files, a second container moves them (:mod:`penstock.tasks.contract.pod_folders`
  says how the two talk). The command waits until they are in place. When it has ended, the prelude
  waits until the files that it made are kept, unless it was stopped. The shell alone reads what the
  two containers tell each other.

- In a pod of many tasks (:mod:`penstock.kubernetes.jobs.working_directory`) no deadline of the pod
  ends the command: `PENSTOCK_TIMEOUT` says after how many seconds it is told to end, 10 s later it
  is killed. The exit code is 124 then.

Arguments: the base directory, the termination message's file, the folder in which the containers
talk; then for each file `-f NAME TEXT` (followed by `-a NAME TEXT` for more of it) or `-c NAME
SOURCE`; then `--` and the command. Works in dash, busybox ash and bash.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.kubernetes.pods.masking import MASKING
from penstock.tasks.contract.framing import (
    BEGIN_MARK,
    END_MARK,
    INLINE_VARIABLE,
    MAX_BYTES,
    MAX_INLINE_BYTES,
)
from penstock.tasks.contract.output_lines import ONLY_LOGS
from penstock.tasks.pod.main import LATE

_MAX_LINE_BYTES = 2 * MAX_BYTES
_MAX_FOUND_BYTES = MAX_BYTES + 64 * 1024

_ROTATED_BYTES = 8 * 1024 * 1024
"""A log of fewer bytes is not moved away by a kubelet with its defaults, 10 MiB."""
_ROTATION_SECONDS = 11
"""A little more than the time between two looks of the kubelet."""

_TEMPLATE = r"""
__penstock_base=$1 __penstock_message=$2 __penstock_run=$3 __penstock_signal= __penstock_pid=
__penstock_late=
shift 3
__penstock_stop() {
  __penstock_signal=1
  [ -z "$__penstock_pid" ] || kill "-$1" "$__penstock_pid" 2>/dev/null
}
trap '__penstock_stop TERM' TERM INT QUIT HUP
if [ -n "${PENSTOCK_TIMEOUT-}" ]; then
  trap '__penstock_stop "${__penstock_late:-TERM}"; __penstock_late=KILL' ALRM
  ( sleep "$PENSTOCK_TIMEOUT"; kill -ALRM $$; sleep 10; kill -ALRM $$ ) </dev/null >/dev/null 2>&1 &
fi@STAGED@
mkdir -p "$__penstock_run" "$__penstock_base/work" "$__penstock_base/home" "$__penstock_base/tmp" &&
  cd "$__penstock_base/work" || exit 125
while [ "$1" != -- ]; do
  case $2 in */*) mkdir -p "./${2%/*}" || exit 125 ;; esac
  case $1 in
    -f) printf %s "$3" >"./$2" || exit 125 ;;
    -a) printf %s "$3" >>"./$2" || exit 125 ;;
    -c) cp "$3" "./$2" || exit 125 ;;
  esac
  shift 3
done
shift
__penstock_tee() {
  trap '' PIPE TERM INT QUIT HUP
  exec tee "$__penstock_run/$1.copy" <"$__penstock_run/$1@MASKED@" 2>/dev/null
}
@MASK_FUNCTION@__penstock_scan() {
  trap '' TERM INT QUIT HUP
  {
    if command -v cut >/dev/null; then LC_ALL=C cut -b -@MAX_LINE@; else cat; fi |
      LC_ALL=C grep -a -e '::{.*}::' -e '^::{' | LC_ALL=C grep -a -v -e '@ONLY_LOGS@' |
      { head -c @MAX_FOUND@ >"$__penstock_run/$1.found"; cat >/dev/null; }
  } <"$__penstock_run/$1.copy" 2>/dev/null
}
__penstock_tools=1
for __penstock_tool in mkfifo tee grep head cat wc sleep@MASK_TOOLS@; do
  command -v "$__penstock_tool" >/dev/null 2>&1 || __penstock_tools=
done
[ -z "$__penstock_tools" ] ||
  mkfifo "$__penstock_run/out" "$__penstock_run/err" \
    @MASK_PIPES@"$__penstock_run/out.copy" "$__penstock_run/err.copy" 2>/dev/null ||
  __penstock_tools=
@MASK_REFUSAL@if [ -n "$__penstock_tools" ]; then
  __penstock_scan out & __penstock_children=$!
  __penstock_scan err & __penstock_children="$__penstock_children $!"
  __penstock_tee out & __penstock_tees=$!
  __penstock_tee err >&2 & __penstock_tees="$__penstock_tees $!"
@MASK_START@  "$@" >"$__penstock_run/out" 2>"$__penstock_run/err" &
else
  "$@" &
fi
__penstock_pid=$!
[ -z "$__penstock_signal" ] || kill -TERM "$__penstock_pid" 2>/dev/null
__penstock_code=
while :; do
  __penstock_signal=
  wait "$__penstock_pid" 2>/dev/null
  __penstock_waited=$?
  [ "$__penstock_waited" = 127 ] && [ -n "$__penstock_code" ] || __penstock_code=$__penstock_waited
  [ -n "$__penstock_signal" ] || break
@STOPPED@done
trap '' TERM INT QUIT HUP ALRM
[ -z "$__penstock_late" ] || __penstock_code=@LATE@
if [ -z "$__penstock_tools" ]; then
@KEPT@@SAID@  printf 'penstock/1 unfiltered lines 0 0\n' 2>/dev/null >"$__penstock_message"
  exit "$__penstock_code"
fi
( sleep 2; kill -9 $__penstock_tees ) </dev/null >/dev/null 2>&1 &
__penstock_watch=$!
{
  wait $__penstock_tees $__penstock_children
  kill -9 "$__penstock_watch"
  wait "$__penstock_watch"
} 2>/dev/null
@KEPT@exec 2>/dev/null
cd "$__penstock_run" || exit "$__penstock_code"
if [ ! -s out.found ] && [ ! -s err.found ]@NOTHING_KEPT@; then
  printf 'penstock/1 inline lines 0 0\n' >"$__penstock_message"
  exit "$__penstock_code"
fi
cat out.found err.found@ALSO@ >found
__penstock_bytes=$(($(wc -c <found))) __penstock_lines=$(($(wc -l <found)))
if [ "$__penstock_bytes" -le "${@INLINE@:-@MAX_INLINE@}" ]; then
  {
    printf 'penstock/1 inline lines %d %d\n' "$__penstock_bytes" "$__penstock_lines"
    cat found
  } >"$__penstock_message"
elif [ "$__penstock_bytes" -le @MAX_BYTES@ ]; then
  __penstock_written=0
  while read -r __penstock_key __penstock_value; do
    [ "$__penstock_key" != wchar: ] || __penstock_written=$__penstock_value
  done <"/proc/$$/io"
  [ "$__penstock_written" -lt @ROTATED@ ] || sleep @ROTATION_SECONDS@
  printf '\n@BEGIN@%d::\n' "$__penstock_bytes"
  cat found
  printf '@END@\n'
  printf 'penstock/1 framed lines %d %d\n' "$__penstock_bytes" "$__penstock_lines" \
    >"$__penstock_message"
else
  printf 'penstock/1 oversized lines %d %d\n' "$__penstock_bytes" "$__penstock_lines" \
    >"$__penstock_message"
fi
exit "$__penstock_code"
"""


_STAGED = r"""
__penstock_stopped=
__penstock_say() {
  while IFS= read -r __penstock_line || [ -n "$__penstock_line" ]; do
    printf '%s\n' "$__penstock_line"
  done <"$__penstock_run/$1"
}
__penstock_wait() {
  until [ -e "$__penstock_run/$1" ] || [ -e "$__penstock_run/failed" ]; do
    [ -z "$__penstock_late" ] || exit @LATE@
    [ -z "$__penstock_signal" ] || exit 143
    sleep 0.05 2>/dev/null || sleep 1
  done
  [ -e "$__penstock_run/failed" ] || return 0
  __penstock_say failed >"$__penstock_message"
  return 1
}
__penstock_keep() {
  [ -z "$__penstock_stopped" ] || exit "$__penstock_code"
  trap '__penstock_signal=1' TERM INT QUIT HUP
  printf '%s\n' "$__penstock_code" >"$__penstock_run/done"
  __penstock_wait kept || exit $((__penstock_code ? __penstock_code : 1))
  trap '' TERM INT QUIT HUP
}
__penstock_wait staged || exit 1
__penstock_say staged
"""

_WITHOUT_FILES = {
    "STAGED": "",
    "STOPPED": "",
    "KEPT": "",
    "SAID": "",
    "NOTHING_KEPT": "",
    "ALSO": "",
}
_WITH_FILES = {
    "STAGED": _STAGED.rstrip(),
    "STOPPED": "  __penstock_stopped=1\n",
    "KEPT": "__penstock_keep\n",
    "SAID": "  __penstock_say kept\n",
    "NOTHING_KEPT": " && [ ! -s kept ]",
    "ALSO": " kept",
}


def _made(files: Mapping[str, str], masking: Mapping[str, str]) -> str:
    text = _TEMPLATE.strip()
    for place in MASKING:
        text = text.replace(place, masking.get(place, ""))
    values = {
        **files,
        "MAX_LINE": str(_MAX_LINE_BYTES),
        "ONLY_LOGS": ONLY_LOGS,
        "MAX_FOUND": str(_MAX_FOUND_BYTES),
        "INLINE": INLINE_VARIABLE,
        "MAX_INLINE": str(MAX_INLINE_BYTES),
        "MAX_BYTES": str(MAX_BYTES),
        "ROTATED": str(_ROTATED_BYTES),
        "ROTATION_SECONDS": str(_ROTATION_SECONDS),
        "BEGIN": BEGIN_MARK,
        "END": END_MARK,
        "LATE": str(LATE),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


PRELUDE = _made(_WITHOUT_FILES, {})
MASKING_PRELUDE = _made(_WITHOUT_FILES, MASKING)
"""Of a script with secrets (see :mod:`penstock.kubernetes.pods.masking`)."""
FILES_PRELUDES = {
    PRELUDE: _made(_WITH_FILES, {}),
    MASKING_PRELUDE: _made(_WITH_FILES, MASKING),
}
"""Each for a pod with a container that moves its files."""

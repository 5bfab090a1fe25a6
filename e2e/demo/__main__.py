"""The demo, from the Git server to the table at its end.

`languages` makes the images of `languages.yaml`, `down` takes the demo's traces away again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import yaml

from e2e.demo import service
from e2e.demo.cluster import (
    LANGUAGES,
    NAMESPACE,
    STAND_INS,
    apply,
    is_own,
    kubeconfig,
    kubectl,
    load,
)
from e2e.demo.runs import Run, Wanted, watch
from e2e.demo.screen import Rows, Screen
from e2e.fixtures.kubernetes import Kubernetes, Object, address_for_pods
from e2e.gitserver import Repository

EXAMPLES = service.ROOT / "examples"
SOURCE = "examples"
_SECONDS = 60.0

HELLO = Wanted(
    "hello-world",
    inputs={"name": "Ada"},
    outputs={"greeting": "Hello, Ada!"},
    log=("greet", "Hello, Ada!"),
    task_runs=3,
)
SCRIPTS = (
    Wanted(
        "shell-outputs",
        outputs={"total": 15, "words": ["one", "two"]},
        log=("use", "the total is 15"),
        task_runs=2,
    ),
    Wanted(
        "python-script",
        inputs={"numbers": "[2, 3, 5, 7]"},
        outputs={"mean": 4.25},
        log=("statistics", "looked at 2 3 5 7"),
        task_runs=2,
    ),
)


def main() -> int:
    screen, kubernetes = Screen(), Kubernetes()
    if sys.argv[1:] == ["down"]:
        return _down(screen)
    if sys.argv[1:] == ["languages"]:
        load(LANGUAGES)
        return 0
    began = time.monotonic()
    url = service.ensure(SOURCE, address_for_pods(kubernetes), kubeconfig())
    commit = _push(screen, url)
    _prepare_images(screen)
    _follow(screen, url)
    _show_flows(screen, kubernetes, commit)
    runs: list[Run] = []
    if not screen.missing:
        screen.title("An execution")
        runs += [Run(kubernetes, screen, HELLO)]
        watch(screen, runs)
        runs[0].account()
        screen.title("Two more at the same time, with scripts")
        scripts = [Run(kubernetes, screen, wanted) for wanted in SCRIPTS]
        watch(screen, scripts)
        for run in scripts:
            run.account()
        runs += scripts
    _finish(screen, url, runs, time.monotonic() - began)
    return 1 if screen.missing else 0


def _push(screen: Screen, url: str) -> str:
    """Push examples/ to the repository, unless it is there; gives the newest commit."""
    screen.title(f"Git, over smart HTTP: {url}")
    files = {path.name: path.read_text() for path in sorted(EXAMPLES.glob("*.yaml"))}
    with Repository(url) as repository:
        changed = {
            name: text
            for name, text in files.items()
            if not (there := repository.worktree / name).exists() or there.read_text() != text
        }
        if not changed:
            screen.say(f"examples/ is there already, at {repository.head()[:12]}")
            return repository.head()
        commit = repository.commit(dict(changed), "Put the examples as they are in examples/")
        screen.command("git push origin main")
        screen.say(f"{len(changed)} of {len(files)} files are new or differed: {commit[:12]}")
        return commit


def _prepare_images(screen: Screen) -> None:
    if not is_own():
        return
    load(STAND_INS)
    screen.say(
        "This cluster can pull no image, so local ones stand in for those that the examples name "
        f"({', '.join(STAND_INS)}). The flows themselves are pushed as they are. For those of "
        f"languages.yaml: `{_program()} languages` (a minute)."
    )


def _follow(screen: Screen, url: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": labels},
        }
    )
    source: Object = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "GitSource",
        "metadata": {"name": SOURCE, "namespace": NAMESPACE},
        "spec": {"url": url, "ref": {"branch": "main"}, "interval": "10s"},
    }
    text = yaml.safe_dump(source, sort_keys=False)
    apply(source)
    screen.title("A GitSource, in a namespace that enforces Pod Security `restricted`")
    screen.command(f"kubectl apply --server-side -f - <<'SOURCE'\n{text}SOURCE")


def _show_flows(screen: Screen, kubernetes: Kubernetes, commit: str) -> None:
    """Watch the Flows come, and expect a ready one for each example."""
    wanted = {
        f"{flow['namespace']}.{flow['id']}": path.name
        for path in sorted(EXAMPLES.glob("*.yaml"))
        if not path.name.endswith(".test.yaml")
        for flow in [yaml.safe_load(path.read_text())]
    }
    ready: dict[str, str] = {}

    def applied() -> Object:
        source = kubernetes.get("gitsources", NAMESPACE, SOURCE) or {}
        status: Object = source.get("status") or {}
        return status if status.get("appliedCommit") == commit else {}

    def rows() -> Rows:
        found: Rows = {}
        for flow in sorted(kubernetes.all("flows", NAMESPACE), key=_name):
            state = _ready(flow)
            ready[_name(flow)] = state.get("status", "")
            found[_name(flow)] = (
                _name(flow),
                str((flow.get("status") or {}).get("revision", "")),
                state.get("status", ""),
                state.get("reason", ""),
            )
        return found

    def done() -> bool:
        rows()
        return bool(applied()) and all(ready.get(name) == "True" for name in wanted)

    screen.title("The Flows appear")
    screen.watch(("flow", "revision", "ready", "reason"), rows, done, _SECONDS)
    status = applied()
    screen.expect(bool(status), f"the GitSource applied commit {commit[:12]}")
    for problem in status.get("problems", []):
        text = f"{problem['path']}:{problem.get('line', 1)}: {problem['message']}"
        if problem["path"] in wanted.values():
            screen.expect(False, text)
        else:
            screen.say(f"  (a file of yours is reported, and stops no other: {text})")
    unready = [name for name in wanted if ready.get(name) != "True"]
    of = f": {', '.join(unready)}" if unready else ""
    screen.expect(not unready, f"{len(wanted) - len(unready)} of {len(wanted)} Flows are ready{of}")


def _finish(screen: Screen, url: str, runs: list[Run], seconds: float) -> None:
    screen.title("In short")
    columns = ("flow", "execution", "state", "task runs", "duration")
    screen.table(columns, {run.name: run.summary() for run in runs})
    screen.title("Go on")
    example = runs[0].name if runs else "NAME"
    tools = Path(kubeconfig().parent, "bin")
    path = f" PATH={tools}:$PATH" if is_own() else ""
    clone = "/tmp/penstock-flows"
    stop = "make cluster-down" if is_own() else f"{_program()} down"
    screen.say(
        f"""\
  export KUBECONFIG={kubeconfig()}{path}
  kubectl get flows -n {NAMESPACE}
  kubectl get executions -n {NAMESPACE}
  kubectl describe execution {example} -n {NAMESPACE}

Push a change, and see a new revision (the repository is asked every 10 s):
  git clone {url} {clone} && cd {clone}
  sed -i 's/Hello,/Good morning,/' hello-world.yaml
  git -c user.name=me -c user.email=me@example.com commit -am 'Greet politely' && git push
  kubectl get flows -n {NAMESPACE} --watch

Take it down (the Git server ends with it; `{_program()} down` takes away the demo alone):
  {stop}"""
    )
    screen.title("The end")
    if screen.missing:
        screen.say(f"After {seconds:.0f} s, this was not observed:")
        for what in screen.missing:
            screen.say(f"  - {what}")
    else:
        screen.say(f"All of the above was really observed, in {seconds:.0f} s.")


def _down(screen: Screen) -> int:
    """Delete the demo's namespace, with all that ran in it, and end its Git server."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    stopped = service.stop()
    screen.say(f"namespace {NAMESPACE} deleted" + (", Git server stopped" if stopped else ""))
    return 0


def _program() -> str:
    return f"{os.path.relpath(sys.executable)} -m e2e.demo"


def _name(body: Object) -> str:
    name: str = body["metadata"]["name"]
    return name


def _ready(flow: Object) -> dict[str, str]:
    """The `Ready` condition, if it speaks of the newest spec."""
    status = flow.get("status") or {}
    if status.get("observedGeneration") != flow["metadata"]["generation"]:
        return {}
    conditions = status.get("conditions", [])
    return next((item for item in conditions if item["type"] == "Ready"), {})


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

"""`python -m penstock.schema`: write the generated files, or check them with `--check`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from penstock.schema.files import generated_files, stale, write
from penstock.schema.manifests import find_helm, manifest_files


def main() -> int:
    parser = argparse.ArgumentParser(prog="penstock.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository")
    options = parser.parse_args()
    files = generated_files()
    helm = find_helm(options.root)
    if helm is not None:
        files |= manifest_files(options.root, helm)
    else:
        print("no helm here: the Kustomize base is left as it is", file=sys.stderr)
    if not options.check:
        for path in write(options.root, files):
            print(f"wrote {path}")
        return 0
    outdated = stale(options.root, files)
    for path in outdated:
        print(f"{path} is stale: run `make generate`", file=sys.stderr)
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())

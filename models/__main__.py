"""`python -m models list | show`: the trained models, and which of them is in use.

A version is put in use by `python -m triage.trainer promote`, which compares it first, and taken back by `rollback`
there; both are written down.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from models import KINDS, ROOT, NoModel, Registry


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Run one verb; returns the exit code: 2 where there is no such model."""
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="every version, the changes of which is in use").add_argument(
        "kind", nargs="?", choices=KINDS
    )
    one = verbs.add_parser("show", help="a version's card")
    one.add_argument("kind", choices=KINDS)
    one.add_argument("version")
    given = parser.parse_args(arguments)
    try:
        if given.verb == "show":
            print(json.dumps(Registry(given.kind, root).card(given.version), ensure_ascii=False, indent=1))
        else:
            for kind in [given.kind] if given.kind else KINDS:
                _list(Registry(kind, root))
    except NoModel as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _list(registry: Registry) -> None:
    try:
        current = registry.current().name
    except NoModel:
        current = ""
    before = registry.before()
    print(registry.kind)
    for version in registry.versions():
        card = registry.card(version)
        mark = "current" if version == current else "before" if version == before else ""
        print(f"  {version:<32} {card.get('created', ''):<34} {card.get('author', ''):<12} {mark}".rstrip())
    for change in registry.history()[-10:]:
        print(f"  {change.at}  {change.kind:<8} {change.version}  by {change.author}  {change.why}".rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

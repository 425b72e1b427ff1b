"""`python -I program.py KIND`: content comes in, what we keep of it goes out, within bounds of time and memory."""

from __future__ import annotations

import resource
import runpy
import sys
from pathlib import Path

SECONDS = 15
MEMORY = 1_000_000_000


def main(kind: str) -> int:
    """Read one file; returns the exit code, 1 for what cannot be read."""
    kept = runpy.run_path(str(Path(__file__).with_name(f"{kind}.py")))["kept"]
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        sys.stdout.buffer.write(kept(sys.stdin.buffer.read()))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

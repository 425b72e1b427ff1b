"""PDFs without what they say of their author and program, and without what would act when they are opened.

Each is read in a process of its own with little time and memory: a bad one may never end.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys

SECONDS = 15
MEMORY = 1_000_000_000
TELLING = ("/Metadata", "/PieceInfo", "/AA", "/LastModified")
"""Entries of a page: its description, programs' own data, actions."""


def without_metadata(content: bytes) -> bytes:
    """The same pages alone; pictures within them stay as they are. Raises `ValueError` for what cannot be read."""
    try:
        done = subprocess.run([sys.executable, "-I", __file__], input=content, capture_output=True, timeout=2 * SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ValueError("the PDF takes too long to read") from error
    if done.returncode or not done.stdout:
        raise ValueError(f"the PDF cannot be read: {done.stderr[-200:].decode(errors='replace')}")
    return done.stdout


def _bare(content: bytes) -> bytes:
    from pypdf import PdfReader, PdfWriter  # in the reading process alone: 16 MB

    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        reader.decrypt("")  # opens without a password, as readers do; else what follows fails
    writer = PdfWriter()
    writer.metadata = None
    for page in reader.pages:
        for name in TELLING:
            page.pop(name, None)
        writer.add_page(page)  # and of all else only what the page needs
    if not writer.pages:
        raise ValueError("no pages")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _main() -> int:
    from pypdf.errors import PyPdfError

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        sys.stdout.buffer.write(_bare(sys.stdin.buffer.read()))
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())

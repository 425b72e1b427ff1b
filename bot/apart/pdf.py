"""PDFs without what they say of their author and program, and without what would act when they are opened."""

from __future__ import annotations

import io
import resource
import sys

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

SECONDS = 15
MEMORY = 1_000_000_000
TELLING = ("/Metadata", "/PieceInfo", "/AA", "/LastModified")
"""Entries of a page: its description, programs' own data, actions."""


def _bare(content: bytes) -> bytes:
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

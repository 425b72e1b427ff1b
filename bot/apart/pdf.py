"""PDFs without what they say of their author and program, and without what would act when they are opened."""

from __future__ import annotations

import io

from pypdf import PdfReader, PdfWriter

TELLING = ("/Metadata", "/PieceInfo", "/AA", "/LastModified")
"""Entries of a page: its description, programs' own data, actions."""


def kept(content: bytes) -> bytes:
    """The pages alone."""
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

"""What customers send: known by content, bare of metadata, shown by links that end."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot import files as module
from bot.files import LARGEST, Files, Unfit
from bot.message import Attachment


def photo(format: str = "JPEG", size: tuple[int, int] = (60, 40), orientation: int = 6) -> bytes:
    """A picture with a place, a camera and a turned sensor."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    written = io.BytesIO()
    Image.new("RGB", size, "teal").save(written, format, exif=exif, comment=b"SECRET-COMMENT")
    return written.getvalue()


def keep(files: Files, content: bytes, name: str = "电表.jpg", key: str = "web:a:1") -> Attachment:
    return asyncio.run(files.keep(content, name, key))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files", "a secret of the tests")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_drawn_upright_and_without_metadata(files: Files, tmp_path: Path, format: str) -> None:
    assert b"SECRET-CAMERA" in photo(format)
    kept = keep(files, photo(format))
    stored = next((tmp_path / "files").rglob(kept.ref)).read_bytes()
    assert kept.kind == "image" and kept.size == len(stored)
    assert b"SECRET" not in stored
    drawn = Image.open(io.BytesIO(stored))
    assert drawn.size == (40, 60)
    assert not drawn.getexif()


def test_the_type_is_what_it_contains_whatever_its_name_says(files: Files) -> None:
    kept = keep(files, photo("PNG"), name="../../发票.exe")
    assert (kept.mime, kept.name) == ("image/png", "发票.png")
    assert keep(files, b"%PDF-1.7 ...", name="合同.png").name == "合同.pdf"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "bad_file"),
        (b"<!doctype html><script>alert(1)</script>", "bad_file"),
        (b"MZ\x90\x00", "bad_file"),
        (b"", "bad_file"),
        (photo()[:300], "bad_file"),
        (b"\xff" * (LARGEST + 1), "too_large"),
    ],
)
def test_what_is_not_taken_leaves_nothing_behind(files: Files, tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(Unfit) as refused:
        keep(files, content)
    assert refused.value.code == code
    assert not list(tmp_path.rglob("*.*"))


def test_a_picture_of_too_many_pixels_is_not_unpacked(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 1000)
    with pytest.raises(Unfit, match="尺寸"):
        keep(files, photo())


def test_the_same_key_is_kept_once(files: Files, tmp_path: Path) -> None:
    assert keep(files, photo()) == keep(files, photo())
    assert len(list(tmp_path.rglob("*.jpg"))) == 1


def test_a_link_shows_the_file_and_ends(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    web = TestClient(Starlette(routes=list(files.routes())))
    link = files.shown(keep(files, photo()))["url"]
    answer = web.get(link)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    assert (
        answer.headers["x-content-type-options"] == "nosniff" and "sandbox" in answer.headers["content-security-policy"]
    )
    assert web.get(link[:-2] + "xx").status_code == 404
    monkeypatch.setattr(module, "LINK_LASTS", -1)
    expired = web.get(link)
    assert expired.status_code == 410 and "过期" in expired.text


def test_a_document_is_downloaded_not_opened(files: Files) -> None:
    web = TestClient(Starlette(routes=list(files.routes())))
    answer = web.get(files.shown(keep(files, b"%PDF-1.7", name="合同.pdf"))["url"])
    assert answer.headers["content-disposition"].startswith("attachment")


def test_what_another_platform_holds_has_no_link(files: Files) -> None:
    assert "url" not in files.shown(Attachment("image", "a-platforms-own-id"))
    assert "url" not in files.shown(Attachment("location", latitude=30.5, longitude=114.3))

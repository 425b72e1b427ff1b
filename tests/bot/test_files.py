"""What customers send: known by content, bare of metadata, shown by links that end."""

from __future__ import annotations

import asyncio
import io
import struct
from pathlib import Path
from random import Random

import av
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.actions import JavaScript
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot import files as module
from bot import ogg
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


def document(password: str = "") -> bytes:
    """A PDF of one page with an author, a description and a script that runs when it is opened."""
    writer, written = PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 300)
    writer.add_metadata({"/Author": "SECRETAUTHOR"})
    writer.xmp_metadata = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>SECRETDESCRIPTION</x:xmpmeta>"
    writer.add_open_action(JavaScript("app.alert('SECRETSCRIPT')"))
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(written)
    return written.getvalue()


def page(number: int, *packets: bytes, stream: int = 7, position: int = 0, ends: bool = True) -> bytes:
    """One Ogg page of packets; unless it `ends`, the last one, of 255 n bytes, goes on."""
    laces = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    laces = laces if ends else laces[:-1]
    rest = laces + b"".join(packets)
    head = struct.pack("<4sBBQII", b"OggS", 0, 0, position, stream, number)
    checksum = ogg._checksum(head + b"\0\0\0\0" + bytes([len(laces)]) + rest)
    return head + struct.pack("<IB", checksum, len(laces)) + rest


def voice(comment: bytes = b"LOCATION=SECRET-PLACE") -> bytes:
    """A voice as Telegram gives it: two headers, then sound."""
    comments = b"OpusTags" + struct.pack("<I", 3) + b"abc" + struct.pack("<II", 1, len(comment)) + comment
    return page(0, b"OpusHead" + b"\1" * 11) + page(1, comments) + page(2, b"sound" * 90, b"more", position=960)


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


def test_a_document_keeps_its_pages_alone(files: Files, tmp_path: Path) -> None:
    assert b"SECRETDESCRIPTION" in document() and b"SECRETSCRIPT" in document()
    stored = next((tmp_path / "files").rglob(keep(files, document()).ref)).read_bytes()
    assert b"SECRET" not in stored
    assert PdfReader(io.BytesIO(stored)).pages[0].mediabox.height == 300


def test_the_type_is_what_it_contains_whatever_its_name_says(files: Files) -> None:
    kept = keep(files, photo("PNG"), name="../../发票.exe")
    assert (kept.mime, kept.name) == ("image/png", "发票.png")
    assert keep(files, document(), name="合同.png").name == "合同.pdf"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "bad_file"),
        (b"<!doctype html><script>alert(1)</script>", "bad_file"),
        (b"MZ\x90\x00", "bad_file"),
        (b"", "bad_file"),
        (photo()[:300], "bad_file"),
        (b"%PDF-1.7 no document", "bad_file"),
        (document("secret"), "bad_file"),
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
    answer = web.get(files.shown(keep(files, document(), name="合同.pdf"))["url"])
    assert answer.headers["content-disposition"].startswith("attachment")


def test_what_another_platform_holds_has_no_link(files: Files) -> None:
    assert "url" not in files.shown(Attachment("image", "a-platforms-own-id"))
    assert "url" not in files.shown(Attachment("location", latitude=30.5, longitude=114.3))


def test_a_voice_keeps_its_sound_and_loses_what_was_written_beside_it(files: Files, tmp_path: Path) -> None:
    assert ogg._checksum(b"123456789") == 0x765E7680 ^ 0xFFFFFFFF  # CRC-32/CKSUM, without its last inversion
    kept = asyncio.run(files.keep(voice(), "", "telegram:1", spoken=True))
    assert (kept.kind, kept.mime) == ("voice", "audio/ogg")
    bare = page(1, ogg.NO_COMMENTS)
    assert next(tmp_path.rglob(kept.ref)).read_bytes() == voice()[:47] + bare + page(
        2, b"sound" * 90, b"more", position=960
    )


def test_comments_over_several_pages_go_and_the_others_are_numbered_anew() -> None:
    first, rest = page(1, b"OpusTags" + b"x" * (255 * 200 - 8), ends=False), page(2, b"the end")
    sound = page(3, b"sound")
    head = page(0, b"OpusHead" + b"\1" * 11)
    assert ogg.without_comments(head + first + rest + sound) == head + page(1, ogg.NO_COMMENTS) + page(2, b"sound")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ID3....",
        voice()[:60],
        voice()[:-1],
        page(0, b"vorbis") + page(1, b"x"),
        voice() + page(3, b"x", stream=8),
    ],
)
def test_what_is_no_voice_is_not_taken(files: Files, content: bytes) -> None:
    with pytest.raises(Unfit, match="语音打不开"):
        asyncio.run(files.keep(content, "", "telegram:1", spoken=True))


def amr(seconds: int) -> bytes:
    """Noise as AMR-NB at 12.2 kbit/s: frames of 20 ms, a head and 31 bytes each (RFC 4867)."""
    chance = Random(1)
    return b"#!AMR\n" + b"".join(b"\x3c" + chance.randbytes(31) for _ in range(50 * seconds))


def test_a_wechat_voice_becomes_one_that_browsers_play(files: Files) -> None:
    kept = asyncio.run(files.keep(amr(3), "", "wechat:1", spoken=True))
    assert (kept.kind, kept.mime, kept.name) == ("voice", "audio/ogg", "文件.ogg")
    with av.open(io.BytesIO(asyncio.run(files.content(kept))), "r") as heard:
        assert heard.streams.audio[0].codec_context.name == "opus"
        seconds = sum(frame.samples / frame.sample_rate for frame in heard.decode(audio=0))
    assert 2.9 < seconds < 3.2


@pytest.mark.parametrize("content", [b"#!AMR\n", b"#!AMR\n" + b"\xff" * 50, b"#!AMR-WB\n"])
def test_a_wechat_voice_that_cannot_be_read_is_kept_as_it_came(files: Files, content: bytes) -> None:
    kept = asyncio.run(files.keep(content, "", "wechat:1", spoken=True))
    assert (kept.mime, kept.name) == ("audio/amr", "文件.amr")
    assert asyncio.run(files.content(kept)) == content


def test_a_page_may_not_send_a_voice(files: Files) -> None:
    with pytest.raises(Unfit, match="只能发送图片"):
        keep(files, voice())

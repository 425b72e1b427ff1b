"""Files that customers and agents send: known by content, freed of metadata, kept under `var/`.

They are shown by signed links that soon end.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot import apart, ogg
from bot.message import Attachment

LARGEST = 10_000_000
MOST_PIXELS = 50_000_000
LINK_LASTS = 300
LONGEST_NAME = 80
SUFFIXES = {
    "image/jpeg": ".jpg", "image/png": ".png", "application/pdf": ".pdf", "audio/ogg": ".ogg", "audio/amr": ".amr",
}  # fmt: skip
READABLE = ("JPEG", "PNG", "WEBP", "GIF")
EXPIRED = "链接已过期，请回到对话里重新打开。"

log = logging.getLogger(__name__)


class Unfit(ValueError):
    """A file that is not taken; the message tells the customer why, `code` names the reason."""

    def __init__(self, code: str, text: str) -> None:
        """Remember both."""
        super().__init__(text)
        self.code = code


TOO_LARGE = ("too_large", f"文件太大了，请选择{LARGEST // 1_000_000} MB以内的。")
BROKEN = ("bad_file", "图片打不开，可能没有传完整，请重新选择。")
UNKNOWN = ("bad_file", "只能发送图片（JPG、PNG、WebP、GIF）和 PDF 文件。")
NO_PDF = ("bad_file", "PDF 打不开，可能没有传完整或加了密码，请重新选择，或者发图片。")
NO_VOICE = ("bad_file", "语音打不开，请重新录一段，或者用文字说明。")
TOO_MANY_PIXELS = ("too_large", "图片尺寸太大了，请缩小后再发。")


@dataclass(frozen=True)
class _Fit:
    kind: str
    mime: str
    content: bytes


class Files:
    """Keeps files and makes links to them."""

    def __init__(self, folder: Path, secret_key: str) -> None:
        """`folder` is made when first needed; `secret_key` signs the links."""
        self._folder = folder
        self._signer = URLSafeTimedSerializer(secret_key, salt="files")

    async def keep(self, content: bytes, name: str, key: str, spoken: bool = False) -> Attachment:
        """Store a file once for a `key`; raises `Unfit` and leaves nothing behind if it is not taken.

        A picture is drawn anew, upright and without metadata (place, camera, time); a PDF loses its description and
        actions. The type is what it contains, whatever its name says. Only `spoken` messages may be sound.
        """
        if len(content) > LARGEST:
            raise Unfit(*TOO_LARGE)
        fit = await asyncio.to_thread(_spoken if spoken else _fit, content)
        suffix = SUFFIXES[fit.mime]
        ref = hashlib.sha256(key.encode()).hexdigest()[:40] + suffix
        await asyncio.to_thread(self._write, ref, fit.content)
        return Attachment(fit.kind, ref, _name(name, suffix), fit.mime, len(fit.content))

    async def content(self, attachment: Attachment) -> bytes:
        """What a file of ours holds; raises `FileNotFoundError`."""
        return await asyncio.to_thread(self._path(attachment.ref).read_bytes)

    def shown(self, attachment: Attachment) -> dict[str, Any]:
        """An attachment for a page: its kind, name, size, and a link that lasts five minutes if the file is ours."""
        shown: dict[str, Any] = {
            "kind": attachment.kind, "name": attachment.name, "mime": attachment.mime, "size": attachment.size,
        }  # fmt: skip
        if attachment.note:
            shown["note"] = attachment.note
        if attachment.latitude is not None:
            shown |= {"latitude": attachment.latitude, "longitude": attachment.longitude}
        if self._path(attachment.ref).is_file():
            signed = self._signer.dumps([attachment.ref, attachment.name, attachment.mime])
            shown["url"] = f"/files/{signed}"
        return shown

    def routes(self) -> Sequence[BaseRoute]:
        """`GET /files/{signed}`."""

        async def file(request: Request) -> Response:
            try:
                ref, name, mime = self._signer.loads(request.path_params["signed"], max_age=LINK_LASTS)
            except SignatureExpired:
                return PlainTextResponse(EXPIRED, status_code=410)
            except (BadSignature, ValueError):
                return PlainTextResponse("没有这个文件。", status_code=404)
            path = self._path(ref)
            if not path.is_file():
                return PlainTextResponse("没有这个文件。", status_code=404)
            return FileResponse(
                path,
                media_type=mime,
                filename=name,
                content_disposition_type="inline" if mime.startswith("image/") else "attachment",
                headers={
                    "X-Content-Type-Options": "nosniff",
                    "Content-Security-Policy": "default-src 'none'; sandbox",
                    "Cache-Control": f"private, max-age={LINK_LASTS}",
                    "Referrer-Policy": "no-referrer",
                },
            )

        return [Route("/files/{signed}", file)]

    def _path(self, ref: str) -> Path:
        # a platform's own id of a file it keeps is no name of ours
        safe = ref if re.fullmatch(r"[0-9a-f]{40}(\.\w+)?", ref) else "none"
        return self._folder / safe[:2] / safe

    def _write(self, ref: str, content: bytes) -> None:
        path = self._path(ref)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _fit(content: bytes) -> _Fit:
    if content.startswith(b"%PDF-"):
        try:
            return _Fit("file", "application/pdf", apart.bare_pdf(content))
        except ValueError:
            raise Unfit(*NO_PDF) from None
    try:
        picture = Image.open(io.BytesIO(content), formats=READABLE)
        if picture.width * picture.height > MOST_PIXELS:
            raise Unfit(*TOO_MANY_PIXELS)
        lossless = picture.format in ("PNG", "GIF")
        upright = ImageOps.exif_transpose(picture)
        drawn = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except UnidentifiedImageError:
        raise Unfit(*UNKNOWN) from None
    except Image.DecompressionBombError:
        raise Unfit(*TOO_MANY_PIXELS) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise error if isinstance(error, Unfit) else Unfit(*BROKEN) from None
    bare = Image.new(drawn.mode, drawn.size)
    bare.paste(drawn)
    written = io.BytesIO()
    if lossless or drawn.mode == "RGBA":
        bare.save(written, "PNG")
        return _Fit("image", "image/png", written.getvalue())
    bare.save(written, "JPEG", quality=88)
    return _Fit("image", "image/jpeg", written.getvalue())


def _spoken(content: bytes) -> _Fit:
    """WeChat's voices are AMR, which becomes Opus in Ogg and is kept as it came if that fails; Telegram's are Opus."""
    if content.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        try:
            return _Fit("voice", "audio/ogg", apart.playable_voice(content))
        except ValueError as error:
            log.warning("a voice is kept as it came: %s", error)
            return _Fit("voice", "audio/amr", content)
    try:
        return _Fit("voice", "audio/ogg", ogg.without_comments(content))
    except ValueError:
        raise Unfit(*NO_VOICE) from None


def _name(name: str, suffix: str) -> str:
    bare = "".join(c for c in name.replace("\\", "/").rsplit("/", 1)[-1] if c.isprintable()).strip(" .")
    stem = bare.rsplit(".", 1)[0] if "." in bare else bare
    return (stem[: LONGEST_NAME - len(suffix)] or "文件") + suffix

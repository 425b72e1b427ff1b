"""Our WeChat protocol beside wechatpy and WeRoBot, which were written by others."""

import secrets
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import TextReply
from wechatpy.utils import check_signature
from werobot.crypto import MessageCrypt
from werobot.parser import parse_user_msg
from werobot.utils import get_signature

from bot.channel import Rejected
from channels.wechat import protocol

TOKEN, APP_ID = "token123", "wx0123456789abcdef"
KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
ours = protocol.Crypt(KEY, APP_ID)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=600)


def message(text: str) -> bytes:
    head = (
        f"<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>{int(time.time())}</CreateTime>"
    )
    return f"{head}<MsgType>text</MsgType><Content>{protocol._cdata(text)}</Content><MsgId>7</MsgId></xml>".encode()


def test_signatures_agree() -> None:
    for _ in range(50):
        timestamp, nonce = str(secrets.randbelow(10**10)), secrets.token_hex(4)
        signed = protocol.signature(TOKEN, timestamp, nonce)
        check_signature(TOKEN, signed, timestamp, nonce)
        assert signed == get_signature(TOKEN, timestamp, nonce)


@settings(max_examples=50, deadline=None)
@given(text=words)
def test_each_reads_what_the_other_sealed(text: str) -> None:
    xml = message(text)
    sealed = protocol.sealed(ours, TOKEN, xml, time.time())
    outer = protocol.fields(sealed)
    arguments = (outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"])
    assert WeChatCrypto(TOKEN, KEY, APP_ID).decrypt_message(sealed.decode(), *arguments).encode() == xml
    robot = MessageCrypt(TOKEN, KEY, APP_ID)
    opened = robot.decrypt_message(outer["TimeStamp"], outer["Nonce"], outer["MsgSignature"], outer["Encrypt"])
    assert (opened if isinstance(opened, bytes) else opened.encode()) == xml
    for theirs in (
        WeChatCrypto(TOKEN, KEY, APP_ID).encrypt_message(xml.decode(), "nonce", "1700000000"),
        robot.encrypt_message(xml.decode(), "1700000000", "nonce"),
    ):
        found = protocol.fields(theirs.encode())
        assert found["MsgSignature"] == protocol.signature(TOKEN, "1700000000", "nonce", found["Encrypt"])
        assert ours.decrypt(found["Encrypt"]) == xml


@settings(max_examples=50, deadline=None)
@given(text=words.filter(lambda text: text.strip() == text and text))
def test_all_read_the_same_message_and_reply(text: str) -> None:
    xml = message(text)
    found = protocol.fields(xml)
    theirs = parse_message(xml)
    assert (theirs.content, theirs.source, str(theirs.id)) == (found["Content"], "o1", found["MsgId"])
    robot = parse_user_msg(xml)
    assert (robot.content, robot.source) == (found["Content"], "o1")
    reply = protocol.fields(protocol.text_reply(found, text, time.time()))
    peer = protocol.fields(TextReply(content=text, message=theirs).render().encode())
    assert {**reply, "CreateTime": ""} == {**peer, "CreateTime": ""}


def test_a_message_for_another_app_is_refused() -> None:
    other = WeChatCrypto(TOKEN, KEY, "wx_other").encrypt_message("<xml/>", "nonce", "1700000000")
    with pytest.raises(Rejected, match="another app"):
        ours.decrypt(protocol.fields(other.encode())["Encrypt"])

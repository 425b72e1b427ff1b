"""The desk's API over a real database: what each role may, what a collision does, what is never sent or lost."""

import asyncio
import io
import re
import zipfile
from datetime import timedelta

import pytest
from sqlalchemy import text as sql

from bot.message import Owner
from tests.bot.test_files import document, photo
from tests.triage.stage import PASSWORD, Stage, Url, run
from triage.desk.auth import Role
from triage.export import harmless

ANYONE = frozenset(Role)
WORKERS = frozenset((Role.AGENT, Role.SUPERVISOR, Role.ADMIN))
SUPERVISORS = frozenset((Role.SUPERVISOR, Role.ADMIN))
ADMIN = frozenset((Role.ADMIN,))
TRAINERS = frozenset((Role.TRAINER, Role.ADMIN))
OPEN_TO_ALL = {"POST /api/login", "GET /api/live"}
ALLOWED = {
    "POST /api/logout": ANYONE,
    "GET /api/me": ANYONE,
    "GET /api/logins": ANYONE,
    "DELETE /api/logins/{id}": ANYONE,
    "POST /api/live": ANYONE,
    "GET /api/tickets": ANYONE,
    "GET /api/tickets/{id}": ANYONE,
    "GET /api/users": SUPERVISORS,
    "POST /api/users": ADMIN,
    "POST /api/users/{username}": ADMIN,
    "GET /api/audit": ADMIN,
    "GET /api/audit/verify": ADMIN,
    "POST /api/presence": WORKERS,
    "POST /api/tickets/{id}/close": SUPERVISORS,
    "POST /api/canned": SUPERVISORS,
    "DELETE /api/canned/{id}": SUPERVISORS,
    "GET /api/wall": SUPERVISORS,
    "GET /api/charts": SUPERVISORS,
    "GET /api/export.csv": SUPERVISORS,
    "GET /api/export.xlsx": SUPERVISORS,
}  # everything else is for those who work tickets, and under /api/trainer for trainers


@pytest.mark.slow
def test_every_endpoint_knows_every_role(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        clients = {role: await stage.login(f"a-{role}", role) for role in Role}
        nobody = stage.client()
        paths = stage.app.openapi()["paths"]
        assert len(paths) > 40
        assert set(ALLOWED) | OPEN_TO_ALL <= {f"{m.upper()} {path}" for path, found in paths.items() for m in found}
        for path, methods in paths.items():
            for method in methods:
                name = f"{method.upper()} {path}"
                if name in OPEN_TO_ALL or name == "POST /api/logout":
                    continue
                where = re.sub(r"\{\w+\}", "999", path.removeprefix("/api"))
                assert (await nobody.request(method, where, json={})).status_code == 401, name
                for role, client in clients.items():
                    status = (await client.request(method, where, json={"state": "away"})).status_code
                    others = TRAINERS if path.startswith("/api/trainer/") else WORKERS
                    allowed = role in ALLOWED.get(name, others)
                    assert (status != 403) == allowed, f"{name} as {role}: {status}"

    run(database_url(), scene)


def test_the_life_of_a_ticket_over_the_api(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        li = await stage.login("li", Role.AGENT)
        wang = await stage.login("wang", Role.AGENT)
        claimed = (await li.post("/tickets/claim")).json()
        id = claimed["id"]
        assert claimed["assignee"] == "li" and claimed["points"] == sum(
            one["points"] for one in claimed["points_reasons"]
        )
        assert (await wang.post("/tickets/claim")).status_code == 204
        found = (await li.get(f"/tickets/{id}")).json()
        assert {clock["kind"] for clock in found["clocks"]} == {"first_response", "resolve"}
        assert found["brief"] == {"reason": "customer asked", "slots": {"topic": "query_bill"}, "tries": 2}
        assert (await wang.post(f"/tickets/{id}/reply", json={"text": "您好"})).status_code == 409
        seen = found["transcript"][-1]["seq"]
        await stage.say("a", "还有一事")
        late = await li.post(f"/tickets/{id}/reply", json={"text": "您好", "seen": seen})
        assert late.status_code == 409 and [m["text"] for m in late.json()["messages"]] == ["还有一事"]
        stale = await li.post(f"/tickets/{id}/reply", json={"text": "您好", "version": claimed["version"]})
        assert stale.status_code == 409 and stale.json()["changes"][0]["kind"] == "customer_message"
        assert (await li.post(f"/tickets/{id}/reply", json={"text": "您好{坐席}"})).status_code == 422
        done = await li.post(f"/tickets/{id}/reply", json={"text": "您好", "seen": seen + 1})
        assert done.json()["status"] == "waiting_customer"
        assert (await li.post(f"/tickets/{id}/resolve", json={"resolution": "换了表"})).json()["status"] == "resolved"
        assert (await li.post(f"/tickets/{id}/resolve", json={"resolution": "换了表"})).status_code == 409
        assert "换了表" in "".join(await stage.texts(conversation))
        assert (await li.get("/tickets/999")).status_code == 404
        assert (await li.get("/tickets", params={"cursor": "x"})).status_code == 422
        assert (await li.get("/tickets", params={"sort": "x"})).status_code == 422

    run(database_url(), scene)


def test_a_picture_is_shown_as_a_reply_is_and_nothing_else_is_taken(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.hand_off("a", "电表在哪里")
        li, wang = await stage.login("li", Role.AGENT), await stage.login("wang", Role.AGENT)
        id = (await li.post("/tickets/claim")).json()["id"]
        seen = (await li.get(f"/tickets/{id}")).json()["transcript"][-1]["seq"]
        where, name = f"/tickets/{id}/picture", {"name": "电表.heic", "seen": str(seen)}
        for content, status in ((document(), 422), (b"no picture", 422), (b"0" * 10_000_001, 413)):
            assert (await li.post(where, params=name, content=content)).status_code == status
        assert (await wang.post(where, params=name, content=photo())).status_code == 409
        assert (await li.post(where, params=name, content=photo())).json()["status"] == "waiting_customer"
        shown = (await li.get(f"/tickets/{id}")).json()["transcript"][-1]
        assert (shown["from"], shown["text"]) == ("agent", "[图片]")
        assert (shown["attachments"][0]["kind"], shown["attachments"][0]["name"]) == ("image", "电表.jpg")
        await stage.say("a", "看到了")
        late = await li.post(where, params={"seen": shown["seq"]}, content=photo())
        assert late.status_code == 409 and [m["text"] for m in late.json()["messages"]] == ["看到了"]

    run(database_url(), scene)


def test_a_login_ends_when_it_is_revoked_or_the_user_is_changed(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        admin = await stage.login("root", Role.ADMIN)
        li = await stage.login("li", Role.AGENT)
        other = stage.client((await li.post("/login", json={"username": "li", "password": PASSWORD})).json()["token"])
        mine = (await li.get("/logins")).json()["items"]
        assert [one["current"] for one in mine] == [False, True]
        assert (await li.delete(f"/logins/{mine[0]['id']}")).status_code == 204
        assert (await other.get("/me")).status_code == 401
        assert (await li.get("/me")).status_code == 200
        await admin.post("/users/li", json={"active": False})
        assert (await li.get("/me")).status_code == 401
        assert (await li.post("/login", json={"username": "li", "password": PASSWORD})).status_code == 401

    run(database_url(), scene)


def test_a_write_by_cookie_needs_its_csrf_token(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.users.add("li", PASSWORD, Role.AGENT, None)
        page = stage.client()
        csrf = (await page.post("/login", json={"username": "li", "password": PASSWORD})).json()["csrf"]
        assert (await page.get("/me")).json()["csrf"] == csrf
        assert (await page.post("/tickets/claim")).status_code == 403
        assert (await page.post("/tickets/claim", headers={"X-CSRF-Token": "x"})).status_code == 403
        assert (await page.post("/tickets/claim", headers={"X-CSRF-Token": csrf})).status_code == 204

    run(database_url(), scene)


def test_every_write_and_every_reveal_is_in_a_chain_that_shows_tampering(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.file("a", "P3 电费不对", "3310000017")
        admin, li = await stage.login("root", Role.ADMIN), await stage.login("li", Role.AGENT)
        id = (await li.post("/tickets/claim")).json()["id"]
        shown = (await li.get(f"/tickets/{id}/customer")).json()
        assert shown["account_no_masked"] == "33****0017" and shown["records"]["account"]["arrears"] == "20.00"
        revealed = await li.post(f"/tickets/{id}/reveal", json={"reason": "核对户号"})
        assert revealed.json() == {"account_no": "3310000017"}
        await asyncio.gather(*(li.post(f"/tickets/{id}/note", json={"text": f"备注{n}"}) for n in range(5)))
        await li.post("/tickets/999/note", json={"text": "无"})
        rows = (await admin.get("/audit")).json()["items"]
        assert sorted(row["action"] for row in rows) == ["claim_next", *["note"] * 5, "reveal"]
        assert next(row for row in rows if row["action"] == "reveal")["detail"] == {"reason": "核对户号"}
        assert (await admin.get("/audit/verify")).json() == {"whole": True, "wrong": None}
        async with stage.database.write() as session:
            await session.execute(sql("UPDATE audit SET actor = 'wang' WHERE id = 3"))
        assert "row 3" in (await admin.get("/audit/verify")).json()["wrong"]
        async with stage.database.write() as session:
            await session.execute(sql("UPDATE audit SET actor = 'li' WHERE id = 3"))
            await session.execute(sql("DELETE FROM audit WHERE id = 7"))
        assert "7" in (await admin.get("/audit/verify")).json()["wrong"]

    run(database_url(), scene)


def test_drafts_canned_replies_and_views_are_kept(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.hand_off("a", "电费不对")
        await stage.desk.writing.ensure_canned()
        li, boss = await stage.login("li", Role.AGENT), await stage.login("boss", Role.SUPERVISOR)
        id = (await li.post("/tickets/claim")).json()["id"]
        await li.put(f"/tickets/{id}/draft", json={"text": "写到一半"})
        assert (await li.get(f"/tickets/{id}")).json()["draft"] == "写到一半"
        assert (await boss.get(f"/tickets/{id}")).json()["draft"] == ""
        await li.post(f"/tickets/{id}/reply", json={"text": "您好", "seen": 0})
        assert (await li.get(f"/tickets/{id}/draft")).json() == {"text": "写到一半"}
        await boss.post("/canned", json={"title": "办结通知", "text": "工单{工单号}已办结，{姓名}您好"})
        found = (await li.get("/canned", params={"q": "bjtz"})).json()["items"]
        assert [one["title"] for one in found] == ["办结通知"]
        filled = (await li.get(f"/canned/{found[0]['id']}/fill", params={"ticket": id})).json()
        assert filled["text"].startswith("工单DQ") and filled["missing"] == ["姓名"]
        refused = await li.post(f"/tickets/{id}/reply", json={"text": filled["text"]})
        assert refused.status_code == 422 and "姓名" in refused.json()["detail"]
        view = (await li.post("/views", json={"name": "我的急单", "query": {"priority": "P2"}})).json()
        assert (await li.get("/views")).json()["items"] == [view]
        assert (await boss.delete(f"/views/{view['id']}")).status_code == 404

    run(database_url(), scene)


def test_who_types_first_holds_the_ticket(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.hand_off("a", "电费不对")
        li, boss = await stage.login("li", Role.AGENT), await stage.login("boss", Role.SUPERVISOR)
        id = (await li.post("/tickets/claim")).json()["id"]
        await boss.post(f"/tickets/{id}/viewing", json={"typing": True})
        seen = (await li.post(f"/tickets/{id}/viewing", json={"typing": True})).json()["viewers"]
        assert [(one["username"], one["holds"]) for one in seen] == [("boss", True), ("li", False)]
        blocked = await li.post(f"/tickets/{id}/reply", json={"text": "您好"})
        assert blocked.status_code == 409 and "boss" in blocked.json()["detail"]
        await boss.delete(f"/tickets/{id}/viewing")
        assert (await li.post(f"/tickets/{id}/reply", json={"text": "您好"})).status_code == 200

    run(database_url(), scene)


def test_search_finds_words_of_tickets_and_messages(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        await stage.file("a", "我家的变压器嗡嗡响，晚上睡不着")
        await stage.file("b", "电费发票开不出来")
        await stage.say("b", "网上国网一直转圈")
        while await stage.search.index():
            pass
        li = await stage.login("li", Role.AGENT)

        async def found(query: str) -> list[str]:
            items = (await li.get("/tickets", params={"q": query})).json()["items"]
            return [item["summary"][:4] for item in items]

        assert await found("变压器") == ["我家的变"]
        assert await found("发票") == ["电费发票"]
        assert await found("网上国网 转圈") == ["电费发票"]
        assert await found("变压器 发票") == []
        assert await found('\' OR "1"') == []
        number = (await li.get("/tickets")).json()["items"][0]["number"]
        assert len((await li.get("/tickets", params={"q": number})).json()["items"]) == 1
        id = (await li.post("/tickets/claim")).json()["id"]
        await li.post(f"/tickets/{id}/resolve", json={"resolution": "更换了变压器的铁芯夹件"})
        while await stage.search.index():
            pass
        await stage.file("c", "小区变压器响得厉害")
        (other,) = (one["id"] for one in (await li.get("/tickets")).json()["items"] if "小区" in one["summary"])
        source = (await li.get(f"/tickets/{other}/suggestions")).json()["items"]
        assert [one["text"] for one in source] == ["更换了变压器的铁芯夹件"]

    run(database_url(), scene)


def test_suggestions_mean_the_same_rather_than_share_words(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        li = await stage.login("li", Role.AGENT)
        for sender, (asked, answer) in enumerate(
            (("怎么修改密码", "密码已重置"), ("换了号码，想把预留电话改掉", "电话已改"))
        ):
            await stage.file(str(sender), asked)
            id = (await li.post("/tickets/claim")).json()["id"]
            await li.post(f"/tickets/{id}/resolve", json={"resolution": answer})
        await stage.file("c", "怎么修改绑定的手机号码")
        while await stage.search.index():
            pass
        (other,) = (one["id"] for one in (await li.get("/tickets")).json()["items"] if "绑定" in one["summary"])
        found = (await li.get(f"/tickets/{other}/suggestions")).json()["items"]
        assert [one["text"] for one in found] == ["电话已改", "密码已重置"]

    run(database_url(), scene)


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1", "  =HYPERLINK()", "＝1", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert harmless(cell).startswith("'")
    assert harmless("电费=100") == "电费=100"


def test_exports_hold_every_ticket_masked(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        for sender in range(5):
            await stage.file(str(sender), f'=cmd|"/c calc" 我电话1381234567{sender}')
        boss = await stage.login("boss", Role.SUPERVISOR)
        body = (await boss.get("/export.csv")).content.decode("utf-8-sig")
        assert body.count("DQ2611") == 5 and "138****" in body and "13812345" not in body
        assert ",\"'=cmd" in body
        book = (await boss.get("/export.xlsx")).content
        with zipfile.ZipFile(io.BytesIO(book)) as opened:
            sheet = opened.read("xl/worksheets/sheet1.xml").decode()
        assert sheet.count("DQ2611") == 5 and "<f>" not in sheet

    run(database_url(), scene)


def test_an_undone_transfer_gives_ticket_and_conversation_back(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        conversation = await stage.hand_off("a", "电表走得太快")
        li = await stage.login("li", Role.AGENT)
        id = (await li.post("/tickets/claim")).json()["id"]
        moved = {"ids": [id], "action": "transfer", "arguments": {"team": "billing"}}
        done = (await li.post("/bulk", json=moved)).json()
        assert await stage.conversations.owner(conversation) is Owner.QUEUE
        await li.post(f"/undo/{done['undo']}")
        assert await stage.conversations.owner(conversation) is Owner.AGENT
        assert (await li.post(f"/tickets/{id}/reply", json={"text": "您好"})).status_code == 200

    run(database_url(), scene)


def test_the_wall_and_the_charts_count_what_is_there(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        for n, text in enumerate(["P2 停电了", "P2 停电啦", "P3 电费不对"]):
            await stage.file(str(n), text)
            stage.now += timedelta(minutes=10)
        boss, li = await stage.login("boss", Role.SUPERVISOR), await stage.login("li", Role.AGENT, "repair")
        await li.post("/presence", json={"state": "online", "push": True})
        wall = (await boss.get("/wall")).json()
        assert (wall["waiting"], wall["open"], wall["longest_wait_seconds"]) == (1, 3, 600)
        repair = wall["teams"]["repair"]
        assert (repair["waiting"], repair["online"], repair["load"], repair["at_risk"]) == (0, 1, 2, 2)
        await li.post("/tickets/1/resolve", json={"resolution": "好了"})
        charts = (await boss.get("/charts", params={"days": 1})).json()
        assert charts["days"] == [{"day": "2026-11-24", "opened": 3, "resolved": 1}]
        assert charts["sla"]["first_response"] == {"met": 1, "in_time": 1}
        assert sum(hour["arrivals"] for hour in charts["staffing"]) == 3
        users = (await boss.get("/users")).json()["items"]
        assert [(one["username"], one["state"], one["load"]) for one in users][1] == ("li", "online", 1)

    run(database_url(), scene)


def test_bulk_changes_are_previewed_and_undone(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        for sender in "abc":
            await stage.file(sender, "P3 电费不对")
        li = await stage.login("li", Role.AGENT)
        ids = [item["id"] for item in (await li.get("/tickets")).json()["items"]]
        wanted = {"ids": [*ids, 99], "action": "priority", "arguments": {"priority": "P2", "reason": "舆情"}}
        preview = (await li.post("/bulk", json={**wanted, "preview": True})).json()
        assert [one["refused"] is None for one in preview["effects"]] == [True, True, True, False]
        assert {item["priority"] for item in (await li.get("/tickets")).json()["items"]} == {"P3"}
        done = (await li.post("/bulk", json=wanted)).json()
        await li.post(f"/tickets/{ids[2]}/note", json={"text": "之后改动"})
        undone = (await li.post(f"/undo/{done['undo']}")).json()["effects"]
        assert [one["refused"] is None for one in undone] == [True, True, False]
        items = (await li.get("/tickets")).json()["items"]
        assert sorted(item["priority"] for item in items) == ["P2", "P3", "P3"]
        assert (await li.post(f"/undo/{done['undo']}")).status_code == 409
        merged = (
            await li.post("/bulk", json={"ids": ids[:1], "action": "merge", "arguments": {"into": ids[1]}})
        ).json()
        assert (await li.get(f"/tickets/{ids[0]}")).json()["status"] == "closed"
        await li.post(f"/undo/{merged['undo']}")
        back = (await li.get(f"/tickets/{ids[0]}")).json()
        assert back["status"] == "new" and [event["kind"] for event in back["events"]][-2:] == ["merged", "undone"]
        assert not any(clock["met_at"] for clock in back["clocks"])
        split = (await li.post(f"/tickets/{ids[0]}/split", json={"text": "另要发票", "category": "payment"})).json()
        made = split["effects"][1]["id"]
        assert [one["id"] for one in (await li.get(f"/tickets/{made}")).json()["links"]] == [ids[0]]
        later = await li.post(f"/tickets/{made}/split", json={"text": "再来", "category": "payment"})
        stage.now += timedelta(seconds=31)
        assert (await li.post(f"/undo/{later.json()['undo']}")).status_code == 409

    run(database_url(), scene)

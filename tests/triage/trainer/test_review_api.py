"""`/api/trainer/review` and `/api/trainer/labels` over a real database."""

from __future__ import annotations

from tests.triage.stage import Stage, Url, run
from tests.triage.trainer.items import add, labels, text_for
from tests.triage.trainer.test_collecting import read
from triage.desk.auth import Role


def test_collect_list_label_undo_and_dismiss(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        trainer = await stage.login("zhou", Role.TRAINER)
        await read(stage, "a", "我叫张伟，户号3310000017，费咋样", "query_bill", 0.3)
        await read(stage, "a", "费是多少", "query_balance", 0.5)
        assert (await trainer.post("/trainer/review/collect")).json() == {"added": 2}
        page = (await trainer.get("/trainer/review", params={"mine": True, "limit": 1})).json()
        first = page["items"][0]
        assert first["text"] == "我叫**，户号33****0017，费咋样" and first["reasons"][0]["words"] == "把握只有30%"
        rest = await trainer.get("/trainer/review", params={"mine": True, "cursor": page["next_cursor"]})
        assert [one["text"] for one in rest.json()["items"]] == ["费是多少"]
        full = (await trainer.get(f"/trainer/review/{first['id']}")).json()
        assert [one["this"] for one in full["around"]] == [True, False, False]
        assert "张伟" not in str(full) and "3310000017" not in str(full)
        bad = await trainer.post(f"/trainer/labels/{first['id']}", json={"base": 0, "intent": "x"})
        assert (bad.status_code, bad.json()["detail"]) == (422, "请选一个意图")
        spans = [{"entity": "account_no", "start": 7, "end": 17}]
        mine = {"base": 0, "intent": "query_arrears", "entities": spans}
        saved = (await trainer.post(f"/trainer/labels/{first['id']}", json=mine)).json()
        assert saved["version"] == 1 and saved["label"]["entities"] == spans
        counts = (await trainer.get("/trainer/review/counts")).json()
        assert counts["mine"]["all"] == 1 and counts["names"]["low_confidence"] == "没有把握"
        undone = (await trainer.post("/trainer/labels/undo")).json()
        assert (undone["id"], undone["status"], undone["version"]) == (first["id"], "open", 2)
        assert (await trainer.post("/trainer/labels/undo")).status_code == 409
        gone = await trainer.post(f"/trainer/labels/{first['id']}/dismiss", json={"base": 2})
        assert gone.json()["status"] == "dismissed"
        assert (await trainer.get("/trainer/review/999")).status_code == 404
        assert (await trainer.post("/trainer/labels/999", json=mine)).status_code == 404
        for wrong in ({"cursor": "x"}, {"reason": "x"}, {"status": "x"}, {"limit": 0}):
            assert (await trainer.get("/trainer/review", params=wrong)).status_code == 422, wrong

    run(database_url(), scene)


def test_a_stale_save_shows_what_changed_but_not_to_a_blind_second_reader(database_url: Url) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.login("ann", Role.TRAINER), await stage.login("bob", Role.TRAINER)
        once, twice = await add(stage, text_for(False)), await add(stage, text_for(True))
        for id, shown in ((once, True), (twice, False)):
            await ann.post(f"/trainer/labels/{id}", json={"base": 0, "intent": "query_usage"})
            late = await bob.post(f"/trainer/labels/{id}", json={"base": 0, "intent": "query_bill"})
            assert late.status_code == 409
            (change,) = late.json()["changes"]
            assert (change["actor"], change["action"]) == ("ann", "label")
            assert (change["label"] is not None) == shown and ("query_usage" in str(change["label"])) == shown
            assert late.json()["item"]["version"] == 1
            assert len(await labels(stage).events(id)) == 1
        seen = (await bob.get(f"/trainer/review/{twice}")).json()
        assert seen["label"] is None and seen["readings"] == [] and seen["events"][0]["label"] is None
        both = await bob.post(f"/trainer/labels/{twice}", json={"base": 1, "intent": "query_bill"})
        assert [one["reader"] for one in both.json()["readings"]] == ["ann", "bob"]
        cai = await stage.login("cai", Role.TRAINER)
        decided = await cai.post(f"/trainer/labels/{twice}/adjudicate", json={"base": 2, "intent": "query_bill"})
        assert decided.json()["status"] == "labelled" and decided.json()["label"]["intent"] == "query_bill"
        found = (await cai.get("/trainer/labels/agreement")).json()
        assert found["intent"]["read_twice"] == 1 and found["intent"]["kappa"] == 0.0
        words = (await cai.get("/trainer/words")).json()
        assert len(words["intents"]) == 56 and words["intents"][10]["initials"] == "cdf"

    run(database_url(), scene)

import json

import pytest

from bot.safety import LIKELY, check, danger, likelihood, mentioned
from nlu_data import HERE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("我邻居触电了快来人", "shock"),
        ("洗澡的时候水龙头麻手", "shock"),
        ("高压线被大风刮断掉在路上了", "line"),
        ("门口电线杆歪了快倒了", "line"),
        ("电表箱冒烟了！！", "fire"),
        ("变压器爆炸了 着火了", "fire"),
        ("停电了，我妈用呼吸机，电池只剩半小时", "life_support"),
        ("去年漏过一次电，现在又漏电了", "shock"),
        ("没有人受伤，但是线还在地上冒火花", "fire"),
        ("如果是别的我就不打了，现在线已经掉到路上了", "line"),
        ("變壓器冒煙了", "fire"),
        ("刚才洗手触垫了，胳膊还是麻的", "shock"),
        ("换灯泡触了电从梯子上摔下来", "shock"),
        ("师傅还在杆子上，你们怎么送电了", "shock"),
        ("插坐昌烟了", "fire"),
        ("俺家电闸直冒火", "fire"),
        ("挖掘机挖断电缆 冒火 周围好多人", "line"),
        ("隔离开关那边拉弧，光闪得吓人", "fire"),
        ("停电把我关电梯里了，喘不过气", "life_support"),
        ("升降機困咗兩個阿婆，冇電", "life_support"),
        ("家里停电，暖箱里的孩子怎么办", "life_support"),
        ("树枝快碰到电线了", "line"),
        ("大树枝已经碰到电线", "line"),
        ("我碰到电线了", "shock"),
        ("电梯停了，里面有人", "life_support"),
        ("没人管，电梯里困了人", "life_support"),
    ],
)
def test_present_danger_is_seen(text: str, kind: str) -> None:
    hazard = danger(text)
    assert hazard is not None and hazard.kind == kind
    turn = check(text)
    assert turn is not None and turn.handoff == "danger"
    assert "95598" in turn.replies[0].text and ("120" in turn.replies[0].text or "119" in turn.replies[0].text)


@pytest.mark.parametrize(
    "text",
    [
        "没有冒火花，就是跳闸",
        "去年触过电，想问赔偿",
        "万一漏电怎么办",
        "气得冒火，电费太高了",
        "客服电话都打爆了",
        "我上个月电费多少",
        "充电桩怎么申请",
        "停电了什么时候来电",
        "未见断线、放电、冒烟，仅该户失压",
        "上次说的电线垂下来，现在处理好了",
        "要是线断了落到田里该怎么办",
        "移动的光缆断了掉在路边",
        "电话线掉在地上了，是电信的",
        "排了两个小时队，腿都麻了",
        "不是线断，是树枝掉了",
        "充电桩插了没反应",
        "昨天电表箱冒烟已经修好了，想问赔偿",
        "电梯停了没人在里面",
        "电梯停了，里头没得人",
        "还有一事",
        "好的",
        "断电",
        "3310000017",
    ],
)
def test_negation_past_hypothesis_and_idiom_raise_no_alarm(text: str) -> None:
    assert check(text) is None


@pytest.mark.parametrize("text", ["触电了", "电线掉地上", "着火了", "冒烟了", "漏电了", "爆炸了", "电杆倒了"])
def test_the_barest_words_of_danger_always_alarm(text: str) -> None:
    assert check(text) is not None


def test_sounds_that_nobody_ever_wrote_are_no_danger() -> None:
    assert likelihood("呲嘚噗咯啵") > LIKELY  # 呲 and 噗 are sounds of sparks, too
    assert check("呲嘚噗咯啵") is None


def test_danger_that_no_word_names_is_seen() -> None:
    text = "快点嘛，隔壁子老张睡到地下一哈都不动，遭打到了"
    assert mentioned(text) is None
    assert check(text) is not None


@pytest.mark.parametrize(("name", "least", "most"), [("danger_second", 77, 14), ("danger_third", 118, 8)])
def test_dangers_in_new_voices_are_seen_and_ordinary_messages_left_alone(name: str, least: int, most: int) -> None:
    """Frozen sets whose writers knew neither words nor training rows.

    November 2026: 79 of 80 seen with 10 of 1,200 false, 120 of 120 with 3 of 600.
    """
    rows = [json.loads(line) for line in (HERE / "frozen" / f"{name}.jsonl").read_text("utf-8").splitlines()]
    seen = sum(danger(row["text"]) is not None for row in rows if row["danger"])
    false = sum(danger(row["text"]) is not None for row in rows if not row["danger"])
    assert seen >= least and false <= most, f"{seen} seen, {false} false alarms"

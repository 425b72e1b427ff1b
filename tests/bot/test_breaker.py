from bot.breaker import FAILURES, FIRST_REST, LONGEST_REST, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_rests_longer_each_time() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert not breaker.open
    breaker.failed()
    rest = FIRST_REST
    for _ in range(6):
        assert breaker.open and not breaker.trying
        clock.now += rest
        assert not breaker.open and breaker.trying
        breaker.failed()
        rest = min(rest * 2, LONGEST_REST)
    clock.now += LONGEST_REST
    breaker.succeeded()
    assert not breaker.open and not breaker.trying


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(Clock())
    for _ in range(FAILURES * 3):
        breaker.failed()
        breaker.succeeded()
    assert not breaker.open

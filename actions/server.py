"""POST /actions: Rasa's action server inside our own app; every failure becomes an apology and a handoff."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from functools import partial

from rasa_sdk import Action, Tracker
from rasa_sdk.events import FollowupAction
from rasa_sdk.executor import ActionExecutor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from actions.account import ActionAccount
from actions.account_form import ValidateAccountForm
from actions.alerts import Alerts
from actions.billing import BillingAnswers
from actions.complaint import ActionComplaint, ActionRate, ActionTicketStatus, ActionUrge, ValidateComplaintForm
from actions.handoff import ActionFallback, ActionHandoff, ActionOfferPerson
from actions.outage import ActionOutage, ActionTripHelp
from actions.outage_form import ValidateOutageForm
from actions.outage_watch import OutageWatch
from actions.payments import PaymentAnswers
from actions.reread import acted, read_again
from actions.sentences import Sentences
from actions.service import ActionChargingStations, ActionHalls, ActionHowLong, ActionRule
from actions.smalltalk import REPLIES, ActionReply
from actions.speech import Clock
from actions.systems import Systems
from actions.usage import UsageAnswers
from actions.verification import Verification
from triage.queue import TicketQueue

FAILED: dict[str, list[dict[str, object]]] = {
    "events": [{"event": "active_loop", "name": None}, {"event": "slot", "name": "requested_slot", "value": None}],
    "responses": [{"response": "say_sorry"}, {"custom": {"handoff": "action failed"}}],
}
LISTEN = {"event": "followup", "name": "action_listen", "timestamp": None}

log = logging.getLogger(__name__)


def all_actions(
    systems: Systems,
    verification: Verification,
    queue: TicketQueue,
    watch: OutageWatch,
    alerts: Alerts,
    sentences: Sentences,
    clock: Clock,
    leads: Mapping[str, str],
) -> list[Action]:
    """Every action of the domain; `leads`: which action each intent leads to."""
    answers = {
        **BillingAnswers(systems).answers,
        **UsageAnswers(systems, clock).answers,
        **PaymentAnswers(systems, queue, clock).answers,
        **alerts.answers,
    }
    account_form = ValidateAccountForm(verification, clock)
    outage_form = ValidateOutageForm(systems, verification, watch, clock)
    complaint_form = ValidateComplaintForm()
    return [
        ActionOfferPerson(),
        account_form,
        outage_form,
        complaint_form,
        ActionAccount(account_form, answers, verification, leads),
        ActionOutage(outage_form, systems, verification, queue, watch, clock, leads),
        ActionTripHelp(),
        ActionComplaint(complaint_form, queue, verification, leads),
        ActionTicketStatus(queue),
        ActionUrge(queue, watch, verification),
        ActionRate(queue),
        ActionRule(),
        ActionHowLong(),
        ActionHalls(systems, verification),
        ActionChargingStations(systems, verification),
        ActionHandoff(),
        ActionFallback(partial(sentences.titles, "say_topics"), queue, watch, verification),
        *(ActionReply(about, queue, watch, verification, leads) for about in REPLIES),
    ]


def routes(actions: Sequence[Action], token: str, leads: Mapping[str, str]) -> list[Route]:
    """The route to mount; only a caller with `?token=` may act, since the sender decides whose figures are read.

    A short message is read again first (`actions.reread`): by what was spoken of before, another action may answer it.
    """
    executor = ActionExecutor()
    for action in actions:
        executor.register_action(action)

    async def act(request: Request) -> Response:
        if not hmac.compare_digest(request.query_params.get("token", ""), token):
            return JSONResponse({"error": "token missing or wrong"}, status_code=403)
        call = await request.json()
        tracker, action = Tracker.from_dict(call["tracker"]), str(call.get("next_action"))
        # an action that another one went on to stands in no rule: say ourselves that the turn ends after it
        ends = action.startswith("action_")
        before = acted(tracker)
        formed = not action.startswith("action_") or any(name.endswith("_form") for name in before)
        again = None if formed else read_again(tracker, leads)
        if again is not None and again.action != action and not before:
            return JSONResponse({"events": [FollowupAction(again.action)], "responses": []})
        if again is not None and again.action == action:
            call["tracker"]["latest_message"]["intent"]["name"] = again.intent
        try:
            result = await executor.run(call)
        except Exception:
            log.exception("action %s failed", call.get("next_action"))
            return JSONResponse({**FAILED, "events": [*FAILED["events"], *([LISTEN] if ends else [])]})
        said = result.model_dump() if result is not None else {"events": [], "responses": []}
        if ends and not any(event.get("event") == "followup" for event in said["events"]):
            said["events"].append(LISTEN)
        return JSONResponse(said)

    return [Route("/actions", act, methods=["POST"])]

"""POST /actions: Rasa's action server inside our own app; every failure becomes an apology and a handoff."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence
from pathlib import Path

from rasa_sdk import Action
from rasa_sdk.executor import ActionExecutor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from actions.account_form import ValidateAccountForm
from actions.billing import ActionAccount
from actions.complaint import ActionComplaint, ActionTicketStatus, ActionUrge, ValidateComplaintForm
from actions.handoff import ActionFallback, ActionHandoff
from actions.outage import ActionOutage, ValidateOutageForm
from actions.service import ActionChargingStations, ActionHalls
from actions.smalltalk import ActionInform
from actions.speech import Clock, subjects
from actions.systems import Systems
from actions.verification import Verification
from triage.queue import TicketQueue

FAILED = {
    "events": [{"event": "active_loop", "name": None}, {"event": "slot", "name": "requested_slot", "value": None}],
    "responses": [{"response": "utter_sorry"}, {"custom": {"handoff": "action failed"}}],
}

log = logging.getLogger(__name__)


def all_actions(
    systems: Systems,
    verification: Verification,
    queue: TicketQueue,
    clock: Clock,
    rules: Path,
) -> list[Action]:
    """Every action of the domain; `rules` is the folder of Rasa's rules."""
    leads = subjects(rules)
    return [
        ValidateAccountForm(verification, clock),
        ActionAccount(systems, verification, clock, leads),
        ValidateOutageForm(systems, verification),
        ActionOutage(systems, verification, queue, clock, leads),
        ValidateComplaintForm(),
        ActionComplaint(queue, verification, leads),
        ActionTicketStatus(queue),
        ActionUrge(queue),
        ActionHalls(systems),
        ActionChargingStations(systems),
        ActionHandoff(),
        ActionFallback(),
        ActionInform(),
    ]


def routes(actions: Sequence[Action], token: str) -> list[Route]:
    """The route to mount; only a caller with `?token=` may act, since the sender decides whose figures are read."""
    executor = ActionExecutor()
    for action in actions:
        executor.register_action(action)

    async def act(request: Request) -> Response:
        if not hmac.compare_digest(request.query_params.get("token", ""), token):
            return JSONResponse({"error": "token missing or wrong"}, status_code=403)
        call = await request.json()
        try:
            result = await executor.run(call)
        except Exception:
            log.exception("action %s failed", call.get("next_action"))
            return JSONResponse(FAILED)
        return JSONResponse(result.model_dump() if result is not None else {"events": [], "responses": []})

    return [Route("/actions", act, methods=["POST"])]

"""Actions that are refused: those that need a hypervisor, and those for administrators."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.states import check_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

# Actions that the hypervisor driver does not support, and Nova's message if it has a special one.
IMPOSSIBLE = {
    "pause": "",
    "suspend": "",
    "shelve": "",
    "rescue": "",
    "trigger_crash_dump": "",
    "changePassword": "Unable to set password on instance",
}
# Their inverse actions, and the state that those require; no server is ever in it.
UNDONE = {
    "unpause": "paused",
    "resume": "suspended",
    "unshelve": "shelved_offloaded",
    "unrescue": "rescued",
    "restore": "soft-delete",
}
ADMINISTRATORS = {
    "migrate": "os_compute_api:os-migrate-server:migrate",
    "os-migrateLive": "os_compute_api:os-migrate-server:migrate_live",
    "evacuate": "os_compute_api:os-evacuate",
    "shelveOffload": "os_compute_api:os-shelve:shelve_offload",
    "os-resetState": "os_compute_api:os-admin-actions:reset_state",
    "injectNetworkInfo": "os_compute_api:os-admin-actions:inject_network_info",
}


def refuse(call: Call, server: Record, wanted: Record) -> None:
    name = next(iter(call.data))
    if policy := ADMINISTRATORS.get(name):
        raise Refusal(403, f"Policy doesn't allow {policy} to be performed.")
    check_state(server, name, UNDONE.get(name, "active"))
    raise Refusal(501, IMPOSSIBLE[name] or "The requested functionality is not supported.")


actions = dict.fromkeys((*IMPOSSIBLE, *UNDONE, *ADMINISTRATORS), refuse)

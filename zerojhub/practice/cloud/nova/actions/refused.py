"""What Nova does with servers elsewhere and not here: what a hypervisor would do, and what administrators do."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.states import check_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

# What a driver is not able to do, and the words for it where Nova has some of their own.
IMPOSSIBLE = {
    "pause": "",
    "suspend": "",
    "shelve": "",
    "rescue": "",
    "trigger_crash_dump": "",
    "changePassword": "Unable to set password on instance",
}
# What undoes those, and the state that a server would have to be in. None ever is.
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

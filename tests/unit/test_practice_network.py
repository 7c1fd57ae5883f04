"""The addresses that the practice cloud uses, and its packet rules."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from zerojhub.practice.ground import GroundError, Listener
from zerojhub.practice.machines import nat, ranges


def test_the_first_candidate_that_touches_nothing_in_use_is_taken():
    used = [IPv4Network("10.253.7.0/24"), IPv4Network("192.168.0.0/16")]
    assert ranges.choose(("10.253.0.0/16", "10.241.0.0/16"), used) == "10.241.0.0/16"


def test_a_wider_route_of_the_persons_also_counts():
    used = [IPv4Network("10.0.0.0/8")]
    assert ranges.choose(ranges.MACHINES, used) == "172.30.0.0/16"


def test_nothing_free_says_what_was_tried():
    with pytest.raises(GroundError, match=r"none of 198\.51\.100\.0/24, 203\.0\.113\.0/24"):
        ranges.choose(ranges.FLOATING, [IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")])


def rules(addresses: nat.Addresses) -> list[str]:
    text = nat.rules(addresses, bridge="zjh0", network="10.253.0.0/16", public="198.51.100.0/24", port=9580)
    return text.splitlines()


def test_a_floating_ip_leads_to_its_fixed_address_on_every_port():
    lines = rules(nat.Addresses(floating={"198.51.100.5": "10.253.0.9"}))
    assert "-A ZJH-ADDRESSES -d 198.51.100.5/32 -j DNAT --to-destination 10.253.0.9" in lines


def test_a_floating_ip_of_a_load_balancer_leads_to_its_members():
    listeners = (Listener(80, (("10.253.0.1", 30080), ("10.253.0.2", 30080), ("10.253.0.3", 30080))),)
    lines = rules(nat.Addresses({"198.51.100.5": "10.253.0.50"}, {"10.253.0.50": listeners}))
    for address in ("198.51.100.5", "10.253.0.50"):
        ours = [line for line in lines if f"-d {address}/32 -p tcp --dport 80" in line]
        # Each rule sees what the ones before it left over: a third, half of the rest, and all of what then remains.
        assert [line.partition("--probability ")[2][:4] for line in ours] == ["0.33", "0.50", ""]
        assert [line.rpartition(" ")[2] for line in ours] == [
            "10.253.0.1:30080",
            "10.253.0.2:30080",
            "10.253.0.3:30080",
        ]
    assert not any("DNAT --to-destination 10.253.0.50" in line for line in lines)


def test_a_front_gets_what_this_machine_sends_to_published_services_and_nothing_else():
    members = (("10.253.0.1", 30080),)
    listeners = (Listener(80, members), Listener(53, members, "udp"), Listener(6443, members))
    floating = {"198.51.100.5": "10.253.0.50", "198.51.100.6": "10.253.0.9"}
    redirected = "-j REDIRECT --to-ports 4000"
    assert [
        line.removeprefix("-A ZJH-ADDRESSES ! -i zjh0 -d ").removesuffix(redirected).strip()
        for line in rules(nat.Addresses(floating, {"10.253.0.50": listeners}, front=4000))
        if line.endswith(redirected)
    ] == [
        "10.253.0.50/32 -p tcp --dport 80",
        "198.51.100.5/32 -p tcp --dport 80",
        "198.51.100.6/32 -p tcp --dport 30000:32767",
    ]


def test_a_port_is_balanced_on_the_transport_of_its_listener():
    members = (("10.253.0.1", 30053),)
    lines = rules(nat.Addresses({}, {"10.253.0.50": (Listener(53, members), Listener(53, members, "udp"))}))
    for transport in ("tcp", "udp"):
        match = f"-A ZJH-ADDRESSES -d 10.253.0.50/32 -p {transport} --dport 53 -j DNAT"
        assert f"{match} --to-destination 10.253.0.1:30053" in lines


def test_a_member_that_rests_is_left_out_while_there_are_others():
    one, two = ("10.253.0.1", 6443), ("10.253.0.2", 6443)
    for resting, used in (({one}, [two]), ({one, two}, [one, two])):
        lines = rules(nat.Addresses({}, {"10.253.0.50": (Listener(6443, (one, two)),)}, resting))
        ours = [line.rpartition(" ")[2] for line in lines if "-d 10.253.0.50/32 -p tcp --dport 6443" in line]
        assert ours == [f"{address}:{port}" for address, port in used]


def test_only_machines_are_led_to_our_metadata_service():
    ours = [line for line in rules(nat.Addresses()) if "169.254.169.254" in line]
    assert ours == ["-A ZJH-ADDRESSES -i zjh0 -d 169.254.169.254/32 -p tcp --dport 80 -j REDIRECT --to-ports 9580"]


def test_machines_reach_the_practice_cloud_and_a_name_server_of_this_machine_and_nothing_else():
    from_machines = [line for line in rules(nat.Addresses()) if line.startswith("-A ZJH-INPUT -i zjh0")]
    taken = [line for line in from_machines if "REJECT" not in line]
    assert {line.partition("--dport ")[2].split()[0] for line in taken if "--dport" in line} == {"9580", "53"}
    assert [line for line in taken if "--dport" not in line] == ["-A ZJH-INPUT -i zjh0 -p icmp -j RETURN"]
    assert from_machines[-1] == "-A ZJH-INPUT -i zjh0 -j REJECT"


def test_a_port_that_is_admitted_is_for_this_machine_and_its_machines_only():
    ours = [line for line in rules(nat.Addresses(admitted={14000})) if "14000" in line]
    own = "-d 10.253.0.1/32 -p tcp --dport 14000"
    assert ours == [
        f"-A ZJH-INPUT -i zjh0 {own} -j ACCEPT",
        f"-A ZJH-INPUT -i lo {own} -j RETURN",
        f"-A ZJH-INPUT {own} -j REJECT --reject-with tcp-reset",
    ]
    lines = rules(nat.Addresses(admitted={14000}))
    assert lines.index(ours[0]) < lines.index("-A ZJH-INPUT -i zjh0 -j REJECT")


def test_every_rule_lies_in_a_chain_of_ours():
    chains = {name for names in nat.chains().values() for name in names}
    lines = rules(nat.Addresses({"198.51.100.5": "10.253.0.9"}, {"10.253.0.50": (Listener(1, (("10.253.0.1", 2),)),)}))
    assert {line.split()[1] for line in lines if line.startswith("-A")} <= chains

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from service.reach import AddressPolicy, Obstacle, ReachError

PRIVATE = AddressPolicy(networks=(ip_network("10.20.0.0/16"), ip_network("fd12::/16")))
ALL = AddressPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.parametrize("ip", ["8.8.8.8", "10.20.3.4", "fd12::7", "2606:4700::1111"])
def test_public_hosts_and_named_networks_may_be_reached(ip: str) -> None:
    assert PRIVATE.permits(ip_address(ip))


@pytest.mark.parametrize(
    "ip", ["10.21.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd13::1", "198.18.0.1"]
)
def test_private_networks_that_nobody_named_may_not(ip: str) -> None:
    assert not PRIVATE.permits(ip_address(ip))
    assert ALL.permits(ip_address(ip))


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_special_addresses_are_opened_by_no_wide_network(ip: str) -> None:
    assert not ALL.permits(ip_address(ip))


def test_a_special_network_can_be_named_itself() -> None:
    policy = AddressPolicy(networks=(ip_network("127.0.0.0/8"),))
    assert policy.permits(ip_address("127.0.0.1"))
    assert not policy.permits(ip_address("169.254.169.254"))


def test_without_public_hosts_only_named_networks_are_left() -> None:
    policy = AddressPolicy(networks=PRIVATE.networks, public=False)
    assert not policy.permits(ip_address("8.8.8.8"))
    assert policy.permits(ip_address("10.20.0.1"))


def test_a_name_is_refused_if_one_of_its_addresses_is() -> None:
    with pytest.raises(ReachError) as refusal:
        PRIVATE.reach("rebound.example", 554, lambda *_: ["8.8.8.8", "127.0.0.1"])
    assert refusal.value.obstacle is Obstacle.FORBIDDEN
    assert PRIVATE.reach("cam.example", 554, lambda *_: ["10.20.0.9"]) == "10.20.0.9"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "0"])
def test_other_spellings_of_this_machine_are_seen_through(host: str) -> None:
    with pytest.raises(ReachError) as refusal:
        ALL.reach(host, 80)
    assert refusal.value.obstacle in (Obstacle.FORBIDDEN, Obstacle.UNKNOWN_HOST)


def test_a_host_without_a_name_is_unknown() -> None:
    def fail(host: str, port: int) -> list[str]:
        raise OSError("no")

    with pytest.raises(ReachError) as failure:
        PRIVATE.reach("nowhere.invalid", 554, fail)
    assert failure.value.obstacle is Obstacle.UNKNOWN_HOST


def test_recordings_are_played_from_named_folders_only(tmp_path: Path) -> None:
    folder, other = tmp_path / "clips", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "a.mp4").touch()
    (other / "b.mp4").touch()
    (folder / "link.mp4").symlink_to(other / "b.mp4")
    policy = AddressPolicy(folders=(folder,))
    assert policy.recording(folder / "a.mp4") == folder / "a.mp4"
    for path in (other / "b.mp4", folder / "link.mp4", folder / ".." / "other" / "b.mp4"):
        with pytest.raises(ReachError) as refusal:
            policy.recording(path)
        assert refusal.value.obstacle is Obstacle.FORBIDDEN
    with pytest.raises(ReachError) as missing:
        policy.recording(folder / "c.mp4")
    assert missing.value.obstacle is Obstacle.NO_FILE

"""Which hosts may be reached, to read from cameras and to deliver to platforms.

An operator names addresses, and a stream or a redirect may name further ones; none of them may
lead to what only this machine can reach. Every name is resolved here, all its addresses are
checked, and the connection goes to the address that was checked.

Public hosts may be reached. Private networks may where the setting names them. What is special
(this machine, link-local with the clouds' metadata services, multicast, reserved) may only where
a network is named that lies wholly inside the special one, so that ``0.0.0.0/0`` opens none.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from vision.errors import JiexuError

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

_SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",  # metadata of Alibaba Cloud, in shared address space
        "168.63.129.16/32",  # wire server of Azure, in public address space
        "192.0.0.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "fe80::/10",
        "fd00:ec2::254/128",  # metadata of AWS, in unique local address space
        "ff00::/8",
    )
)
_EMBEDDING = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class Obstacle(StrEnum):
    """Why something is not reached."""

    FORBIDDEN = "forbidden_address"
    UNKNOWN_HOST = "unknown_host"
    NO_FILE = "not_found"


class ReachError(JiexuError):
    """A host or a file may not be reached, or is not there.

    Attributes:
        obstacle: Why.
        detail: In words.
    """

    def __init__(self, obstacle: Obstacle, detail: str) -> None:
        """Name obstacle and detail."""
        super().__init__(obstacle, detail)
        self.obstacle = obstacle
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.obstacle.value}: {self.detail}"


@dataclass(frozen=True)
class AddressPolicy:
    """What may be reached.

    Attributes:
        networks: Networks that may be reached besides public ones.
        public: Whether public hosts may be reached.
        folders: Folders whose recordings may be played as trial sources.
        setting: What names the networks, to be told where one is missing.
    """

    networks: tuple[Network, ...] = ()
    public: bool = True
    folders: tuple[Path, ...] = ()
    setting: str = "camera_networks"

    def permits(self, ip: Ip) -> bool:
        """Whether a host at this address may be reached."""
        if isinstance(ip, IPv6Address):
            inner = ip.ipv4_mapped or ip.sixtofour or _embedded(ip)
            if inner is not None:
                return self.permits(inner)
        for special in _SPECIAL:
            if ip in special:
                return any(ip in one and _inside(one, special) for one in self.networks)
        if any(ip in network for network in self.networks):
            return True
        teredo = isinstance(ip, IPv6Address) and ip.teredo is not None
        return self.public and ip.is_global and not teredo

    def reach(self, host: str, port: int, resolve: Resolver | None = None) -> str:
        """Resolve a host and check it.

        Args:
            host: Name or IP address.
            port: Port to connect to.
            resolve: Gives the addresses of a host; the system's resolver without it.

        Returns:
            The address to connect to.

        Raises:
            ReachError: There is no such host, or one of its addresses may not be reached.
        """
        try:
            found = list((resolve or _resolve)(host, port))
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise ReachError(Obstacle.UNKNOWN_HOST, "there is no host of that name")
        for text in found:
            if not self.permits(ip_address(text.partition("%")[0])):
                raise ReachError(
                    Obstacle.FORBIDDEN,
                    f"{text} may not be reached; the setting {self.setting} names what may",
                )
        return found[0]

    def recording(self, path: Path) -> Path:
        """The real path of a recording that is played as a trial source.

        Raises:
            ReachError: It does not lie in one of the folders, or is not there.
        """
        real = path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            raise ReachError(
                Obstacle.FORBIDDEN,
                "this folder may not be read; the setting camera_folders names which may",
            )
        if not real.is_file():
            raise ReachError(Obstacle.NO_FILE, "there is no such file")
        return real


def _inside(network: Network, special: Network) -> bool:
    return (
        network.version == special.version
        and network.network_address in special
        and network.broadcast_address in special
    )


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator's IPv6 address leads to."""
    return IPv4Address(int(ip) & 0xFFFFFFFF) if any(ip in one for one in _EMBEDDING) else None


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))

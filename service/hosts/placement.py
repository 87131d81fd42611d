"""Which host watches which camera."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping


def place(
    cameras: Iterable[str], weights: Mapping[str, float], current: Mapping[str, str]
) -> dict[str, str]:
    """Spread cameras over hosts in proportion to their weights, moving as few as that takes.

    Args:
        cameras: Ids of all cameras.
        weights: Weight of each host, above 0.
        current: Host by camera, as it is; hosts that are not in ``weights`` count as gone.

    Returns:
        Host by camera, of every camera; empty where there is no host. The same for the same
        arguments, in whatever order they come.
    """
    if not weights:
        return {}
    placed: dict[str, set[str]] = {host: set() for host in sorted(weights)}
    homeless = []
    for camera in sorted(cameras):
        host = current.get(camera)
        if host in placed:
            placed[host].add(camera)
        else:
            homeless.append(camera)
    least = [((len(mine) + 1) / weights[host], host) for host, mine in placed.items()]
    heapq.heapify(least)
    for camera in homeless:
        _, host = least[0]
        placed[host].add(camera)
        heapq.heapreplace(least, ((len(placed[host]) + 1) / weights[host], host))
    _even_out(placed, weights)
    return {camera: host for host, mine in placed.items() for camera in mine}


def _even_out(placed: Mapping[str, set[str]], weights: Mapping[str, float]) -> None:
    """Move cameras from the fullest host to the emptiest while the latter stays the emptier."""
    while True:
        fullest = max(placed, key=lambda host: ((len(placed[host]) - 1) / weights[host], host))
        emptiest = min(placed, key=lambda host: ((len(placed[host]) + 1) / weights[host], host))
        left = (len(placed[fullest]) - 1) / weights[fullest]
        if fullest == emptiest or left < (len(placed[emptiest]) + 1) / weights[emptiest]:
            return
        camera = max(placed[fullest])
        placed[fullest].remove(camera)
        placed[emptiest].add(camera)

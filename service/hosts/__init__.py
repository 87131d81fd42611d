"""Cameras shared over several hosts of a Ray cluster.

A *coordinator*, an actor beside the cluster's head, knows which machines live and writes into the
database who watches which camera. On every machine with the resource ``watching`` a *host*, an
actor too, watches those that are assigned to it, with the code of a service on one machine. What
is assigned has a number that rises with each change: whatever a host writes about a camera is
refused, in the same transaction, where its number is not the newest. So a host that was given up
and lives on harms nothing, and no clock decides anything but when a silent host is given up.

Only this room needs the package ``ray``, and only when it is used.
"""

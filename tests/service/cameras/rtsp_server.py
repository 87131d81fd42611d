"""A real RTSP server (GStreamer's), run by the system's Python: ``rtsp_server.py PORT CLIP...``.

A clip is a file of access units, each after its length in four bytes; it is served in a loop under
``/NAME`` of its file. ``--user NAME:PASSWORD`` locks the server. A line ``stall PATH`` or
``go PATH`` on standard input stops and continues a stream; the connection stays. After
``show PATH OTHER`` a stream gives what ``OTHER`` gives, from its first unit on.
"""

import argparse
import os
import struct
import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

LAUNCH = (
    "( appsrc name=source is-live=true format=time do-timestamp=true "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au "
    "! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def units(path):
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from("!I", data, at)
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


class Clip(GstRtspServer.RTSPMediaFactory):
    def __init__(self, path, rate):
        super().__init__()
        self.units = units(path)
        self.rate = rate
        self.stalled = False
        self.set_launch(LAUNCH)
        self.set_shared(True)

    def feed(self, media):
        source = media.get_element().get_by_name("source")
        state = {"units": self.units, "next": 0, "over": False}

        def push():
            if state["over"]:
                return False
            if state["units"] is not self.units:
                state.update(units=self.units, next=0)
            if not self.stalled:
                unit = self.units[state["next"] % len(self.units)]
                state["next"] += 1
                source.emit("push-buffer", Gst.Buffer.new_wrapped(unit))
            return True

        GLib.timeout_add(round(1000 / self.rate), push)
        media.connect("unprepared", lambda _: state.update(over=True))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--rate", type=float, default=25.0)
    parser.add_argument("--user")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    mounts = server.get_mount_points()
    factories, clips = {}, {}
    for path in options.clips:
        factory = Clip(path, options.rate)
        factories["/" + path.stem] = factory
        clips["/" + path.stem] = factory.units
        if options.user:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("known", "media.factory.access", True)
            permissions.add_permission_for_role("known", "media.factory.construct", True)
            factory.set_permissions(permissions)
        factory.connect("media-configure", lambda f, media: f.feed(media))
        mounts.add_factory("/" + path.stem, factory)
    if options.user:
        auth = GstRtspServer.RTSPAuth()
        known = GstRtspServer.RTSPToken()
        known.set_string("media.factory.role", "known")
        name, _, password = options.user.partition(":")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), known)
        server.set_auth(auth)
    server.attach(None)
    loop = GLib.MainLoop()

    def obey(line):
        word, path, *other = line.split()
        if word == "show":
            factories[path].units = clips[other[0]]
        else:
            factories[path].stalled = word == "stall"

    pending = bytearray()

    def read(channel, condition):
        # Not a line at a time: of several, those kept in a buffer would wake nobody.
        heard = os.read(sys.stdin.fileno(), 65536)
        if not heard:
            loop.quit()
            return False
        pending.extend(heard)
        *lines, rest = pending.split(b"\n")
        pending[:] = rest
        for line in lines:
            obey(line.decode())
        return True

    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, read)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop.run()


main()

"""Scans on a Ray cluster: pictures are decoded and inspected by many, judged in order by one.

A recording under way has a *conductor*, a process on the machine where the command runs. It reads
the file's packets, knows from them which looks are wanted, and hands stretches of looks, cut at
keyframes, to *workers* anywhere in the cluster. Workers decode, keep the pictures, and run the
detector on those that the conductor's gate lets through. The conductor is the very code of a local
scan over another source of frames, so nothing in the result depends on who worked, when, how often
something was lost, or how much was done on a wrong guess.

Only this room needs the package ``ray``, and only when it is used.
"""

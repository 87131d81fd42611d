"""Data sets, training, export and evaluation; imported by its own commands only.

A room imports only from rooms to its left::

    scenes, data → compose → measure → train → ship → derelict → feedback → commands
"""

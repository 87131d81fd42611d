"""Labelled pictures made by pasting what is scarce onto pictures of real streets and sites."""

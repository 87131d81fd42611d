"""The service around ``vision``: what talks to people, platforms and databases."""

"""Alembic migrations, applied by :mod:`service.store.migrate`."""

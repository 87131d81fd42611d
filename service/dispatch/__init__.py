"""Delivery of cases to other systems: outbox and one adapter a platform."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from service.auth.passwords import (
    PasswordError,
    check_fitness,
    hash_password,
    is_outdated,
    matches,
)

PASSWORD = "a long way home 街序"


@pytest.fixture(autouse=True)
def quick_hashing() -> None:
    """Here passwords are hashed as they are in service."""


def test_a_hash_costs_what_guessing_shall_cost() -> None:
    parameters = extract_parameters(hash_password(PASSWORD))
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 64 * 1024
    assert parameters.time_cost >= 3


def test_a_password_matches_its_hash_alone() -> None:
    hashed = hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert PASSWORD not in hashed
    assert matches(hashed, PASSWORD)
    assert not matches(hashed, PASSWORD + " ")
    assert not matches(hash_password("another password"), PASSWORD)


def test_equal_passwords_have_unequal_hashes() -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)


@pytest.mark.parametrize("hashed", [None, "", "no hash"])
def test_without_a_hash_nothing_matches(hashed: str | None) -> None:
    assert not matches(hashed, PASSWORD)


def test_hashes_of_other_parameters_are_outdated() -> None:
    assert not is_outdated(hash_password(PASSWORD))
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD))


@pytest.mark.parametrize(
    "password",
    ["", "short", "a" * 12, "abababababab", "x" * 257, "reviewer.one1", "Reviewer.One12"],
)
def test_unfit_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordError):
        check_fitness(password, "reviewer.one")


def test_length_is_enough() -> None:
    check_fitness("correct horse battery staple", "reviewer.one")

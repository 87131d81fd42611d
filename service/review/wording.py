"""Every text of the page, in one file a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

import yaml

from vision.report.strings import TEXT
from vision.rules.kinds import KINDS


class Language(StrEnum):
    """A language of the page; the value is its tag in HTML."""

    ZH = "zh-CN"
    EN = "en-US"


@dataclass(frozen=True)
class Wording:
    """The texts of one language."""

    language: Language
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """A text with its gaps filled.

        Raises:
            KeyError: There is no such text, or a gap is not filled.
        """
        text = self.texts[key]
        return text.format(**values) if values else text

    def part(self, prefix: str) -> dict[str, str]:
        """Texts whose key begins so, under what follows; their gaps are not filled."""
        return {
            key.removeprefix(prefix): text
            for key, text in self.texts.items()
            if key.startswith(prefix)
        }

    def kind(self, kind_id: str) -> str:
        """Name of a violation kind; its id if it is not known any more."""
        kind = KINDS.get(kind_id)
        if kind is None:
            return kind_id
        return kind.zh if self.language is Language.ZH else kind.en

    def sign(self, word: str) -> str:
        """What a sign of a violation, or a class of the detector, means; the word if unknown."""
        if word in KINDS:
            return self.kind(word)
        english, chinese = TEXT.get(f"sign.{word}", (word.replace("_", " "),) * 2)
        return chinese if self.language is Language.ZH else english


@cache
def wording(language: Language) -> Wording:
    """The texts of a language."""
    name = f"{language.name.lower()}.yaml"
    source = files("service.review").joinpath("texts", name).read_text("utf-8")
    texts = yaml.safe_load(source)
    assert isinstance(texts, dict)
    return Wording(language, {str(key): str(text) for key, text in texts.items()})


def language_wished(accepted: str | None) -> Language:
    """The language that a browser asks for; Chinese where it asks for none that there is.

    Args:
        accepted: The header ``Accept-Language``.
    """
    wishes: list[tuple[float, str]] = []
    for item in (accepted or "").split(","):
        tag, _, quality = item.strip().partition(";q=")
        try:
            wishes.append((-float(quality or 1), tag.lower()))
        except ValueError:
            continue
    for _, tag in sorted(wishes, key=lambda wish: wish[0]):
        for language in Language:
            if tag.split("-")[0] == language.value.split("-")[0]:
                return language
    return Language.ZH

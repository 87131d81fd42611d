"""Why candidates are rejected, as data: figures and learning tell them apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """A reason to reject a candidate.

    Attributes:
        id: Word used in files, code and API.
        en: English name.
        zh: Chinese name.
        key: Key that the review page offers for it.
        blames_model: Whether the model saw what is not there or not so. It did not where the thing
            is real and merely no case.
    """

    id: str
    en: str
    zh: str
    key: str
    blames_model: bool


REASONS: dict[str, Reason] = {
    reason.id: reason
    for reason in (
        Reason("not_there", "Nothing of the kind is there", "误检，没有该问题", "1", True),
        Reason("other_thing", "It is something else", "认错了物体", "2", True),
        Reason("permitted", "It may be there", "允许的，不违规", "3", False),
        Reason("in_use", "In use, loading, someone is with it", "正在使用或装卸", "4", True),
        Reason("too_short", "Stood there too briefly", "停留时间太短", "5", True),
        Reason("wrong_place", "Outside the place that counts", "不在管理区域内", "6", True),
        Reason("duplicate", "Same as another case", "与其他案件重复", "7", False),
        Reason("picture_bad", "The picture cannot be judged", "图像无法判断", "8", True),
        Reason("other", "Other; say it in the note", "其他，请在备注说明", "9", True),
    )
}

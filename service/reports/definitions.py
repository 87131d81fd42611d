"""What each figure counts, as data: printed with every number.

Names after GB/T 30428.4 and what platforms print. There is no common denominator for 整改率 and
返工率, so that ours are said in full. A case that is cancelled 作废 counts in the first group and
as cancelled, in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Something that is counted.

    Attributes:
        id: Word used in files, code and API.
        zh: Chinese name.
        en: English name.
        means_zh: What is counted, in Chinese.
        means_en: What is counted, in English.
    """

    id: str
    zh: str
    en: str
    means_zh: str
    means_en: str


@dataclass(frozen=True)
class Rate:
    """A share of two counts.

    Attributes:
        id: Word used in files, code and API.
        zh: Chinese name.
        en: English name.
        numerator: Count above.
        denominator: Count below.
    """

    id: str
    zh: str
    en: str
    numerator: str
    denominator: str


COUNTS: dict[str, Count] = {
    one.id: one
    for one in (
        Count("found", "发现", "Found", "期内提出的候选案件", "Candidates raised in the window"),
        Count(
            "settled",
            "已审核",
            "Reviewed",
            "期内审定的案件",
            "Cases settled by review in the window",
        ),
        Count("confirmed", "确认", "Confirmed", "其中确认立案的", "Of the reviewed: confirmed"),
        Count("rejected", "驳回", "Rejected", "其中驳回的", "Of the reviewed: rejected"),
        Count(
            "judged",
            "可评价",
            "Judged",
            "期内审定、可评价模型的案件（允许的和重复的不计）",
            "Reviewed cases that tell of the model (not: permitted, duplicate)",
        ),
        Count(
            "correct",
            "模型判对",
            "Model was right",
            "其中确认且类别未改的",
            "Of the judged: confirmed as the kind that was shown",
        ),
        Count(
            "recurring",
            "复发",
            "Recurring",
            "期内审定确认、且同一地点此前结案不久的",
            "Of the confirmed: at a place whose earlier case was over not long before",
        ),
        Count(
            "delivered",
            "已派出",
            "Delivered",
            "期内首次送达平台的",
            "First delivered in the window",
        ),
        Count("accepted", "平台受理", "Accepted", "期内平台受理的", "Accepted in the window"),
        Count("declined", "平台退回", "Declined", "期内平台不受理的", "Declined in the window"),
        Count(
            "returned",
            "单位退回",
            "Given back",
            "已派出中被处置单位退回过的",
            "Of the delivered: given back by a unit",
        ),
        Count("suspended", "挂账", "Suspended", "期内挂账的", "Suspended in the window"),
        Count(
            "cancelled",
            "作废",
            "Cancelled",
            "期内作废的，不计入派出以后各项",
            "Cancelled in the window; in no count that follows upon delivery",
        ),
        Count(
            "due",
            "应处置",
            "Due",
            "已派出、时限（延期的按延后的）在期内到达的（挂账的不计）",
            "Delivered, with a deadline, as put off, in the window (not: suspended)",
        ),
        Count("extended", "延期", "Put off", "应处置中时限延过的", "Of the due: put off"),
        Count(
            "appealed",
            "申诉",
            "Appealed",
            "应处置中处置单位申诉过的",
            "Of the due: disputed by the unit",
        ),
        Count(
            "exempted",
            "申诉成立",
            "Exempted",
            "应处置中申诉成立的",
            "Of the due: the platform found for the unit",
        ),
        Count(
            "handled",
            "已处置",
            "Handled",
            "应处置中已处置且未被复查退回的",
            "Of the due: handled, and not sent back since",
        ),
        Count(
            "handled_in_time",
            "按期处置",
            "Handled in time",
            "其中在时限（延期的按延后的）内处置的，或申诉成立的",
            "Of the handled: not later than the deadline as put off, or exempted",
        ),
        Count(
            "finished",
            "应结案",
            "To close",
            "期内处置完成过的（含自行整改）",
            "Said to be handled in the window, or gone by itself",
        ),
        Count("closed", "已结案", "Closed", "应结案中已结案的", "Of those to close: closed"),
        Count(
            "finished_with_deadline",
            "应按期结案",
            "To close in time",
            "应结案中有时限的",
            "Of those to close: with a deadline",
        ),
        Count(
            "closed_in_time",
            "按期结案",
            "Closed in time",
            "其中在时限（延期的按延后的）内结案的，或申诉成立而结案的",
            "Of these: closed not later than the deadline as put off, or exempted and closed",
        ),
        Count(
            "reworked",
            "返工",
            "Reworked",
            "应结案中处置后复查仍存在而退回的",
            "Of those to close: still there when looked at again, and sent back",
        ),
        Count(
            "inspected",
            "复查可判",
            "Looked at again",
            "期内对已处置案件复查且看得清的次数（摄像机，或由其请人判定）",
            "Re-inspections of handled cases in the window that could see (by the camera, or by a "
            "person whom it asked)",
        ),
        Count("gone", "复查已整改", "Gone", "其中已整改的次数", "Of these: it was gone"),
        Count(
            "cannot_see",
            "复查看不清",
            "Cannot see",
            "期内复查看不清的次数，不计入整改",
            "Re-inspections in the window that could not see; never counted as rectified",
        ),
    )
}

RATES: dict[str, Rate] = {
    one.id: one
    for one in (
        Rate("precision", "模型准确率", "Precision of the model", "correct", "judged"),
        Rate("recurrence_rate", "复发率", "Recurrence", "recurring", "confirmed"),
        Rate("return_rate", "退回率", "Given back", "returned", "delivered"),
        Rate("extension_rate", "延期率", "Put off", "extended", "due"),
        Rate("handling_rate", "处置率", "Handled", "handled", "due"),
        Rate("in_time_rate", "按期处置率", "Handled in time", "handled_in_time", "due"),
        Rate("closing_rate", "结案率", "Closed", "closed", "finished"),
        Rate(
            "closing_in_time_rate",
            "按期结案率",
            "Closed in time",
            "closed_in_time",
            "finished_with_deadline",
        ),
        Rate("rework_rate", "返工率", "Rework", "reworked", "finished"),
        Rate("rectification_rate", "整改率", "Rectified, by looking again", "gone", "inspected"),
    )
}

HOURS_ZH = "整改时效：期内复查确认整改的案件，从确认立案到处置完成的自然小时"
HOURS_EN = (
    "Time to rectify: of cases found gone in the window, hours as they pass from confirmation to "
    "the handling that held"
)

BANDS: tuple[tuple[float, str, str], ...] = (
    (2, "2 小时内", "up to 2 h"),
    (4, "2–4 小时", "2–4 h"),
    (8, "4–8 小时", "4–8 h"),
    (24, "8–24 小时", "8–24 h"),
    (72, "1–3 天", "1–3 days"),
    (float("inf"), "3 天以上", "over 3 days"),
)
"""Upper ends in hours, inclusive, and names."""

"""Words of the printed reports, in Chinese and English."""

from __future__ import annotations

from typing import Literal

from service.reports.definitions import BANDS, COUNTS, HOURS_EN, HOURS_ZH, RATES
from service.reports.figures import Dimension
from service.reports.report import TITLES
from service.store.tables import CaseState
from vision.rules.kinds import KINDS

Language = Literal["zh", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    "window": ("统计期", "Window"),
    "as_of": ("截至", "As of"),
    "figure": ("指标", "Figure"),
    "value": ("数值", "Value"),
    "numerator": ("分子", "Numerator"),
    "denominator": ("分母", "Denominator"),
    "definition": ("口径", "How it is counted"),
    "counts": ("数量", "Counts"),
    "rates": ("比率", "Rates"),
    "rectified": ("整改时效", "Time to rectify"),
    "cases": ("案件数", "Cases"),
    "median": ("中位数（小时）", "Median (h)"),
    "p90": ("九成以内（小时）", "90 of 100 within (h)"),
    "hot_spots": ("易反复点位", "Where it comes back"),
    "hot_map": (
        "易反复点位示意图，上北下南",
        "Map of places where it comes back, north at the top",
    ),
    "without_place": ("未登记位置的摄像机", "Cameras without a place"),
    "gallery": ("整改前后对比", "Before and after"),
    "before": ("整改前", "Before"),
    "after": ("整改后", "After"),
    "gone": ("已整改", "Gone"),
    "still_there": ("仍然存在", "Still there"),
    "masked": (
        "图片已对人脸、车牌和隐私区域作遮挡处理。",
        "Heads, plates and privacy zones are masked.",
    ),
    "overdue": ("超期未处置", "Overdue"),
    "none": ("无", "None"),
    "camera": ("摄像机", "Camera"),
    "zone": ("区域", "Zone"),
    "kind": ("类别", "Kind"),
    "place": ("地点", "Place"),
    "recurring": ("复发", "Recurring"),
    "occurrences": ("发生次数", "Occurrences"),
    "last_at": ("最近一次", "Last"),
    "state": ("状态", "State"),
    "deadline": ("时限", "Deadline"),
    "case": ("案件", "Case"),
    "lon": ("经度", "Longitude"),
    "lat": ("纬度", "Latitude"),
    "coord_sys": ("坐标系", "Coordinates"),
    "group": ("分组", "Group"),
    "not_said": ("未登记", "not said"),
    "summary": ("总表", "Summary"),
}

_DIMENSIONS: dict[Dimension, tuple[str, str]] = {
    "district": ("按区县", "By district"),
    "street": ("按街道", "By street"),
    "grid": ("按单元网格", "By unit grid"),
    "unit": ("按责任单位", "By unit"),
    "kind": ("按类别", "By kind"),
    "camera": ("按摄像机", "By camera"),
}

_STATES: dict[CaseState, tuple[str, str]] = {
    CaseState.CANDIDATE: ("待审核", "candidate"),
    CaseState.CONFIRMED: ("已确认", "confirmed"),
    CaseState.REJECTED: ("已驳回", "rejected"),
    CaseState.SUBMITTED: ("已派出", "submitted"),
    CaseState.ACCEPTED: ("已受理", "accepted"),
    CaseState.DECLINED: ("已退回", "declined"),
    CaseState.HANDLING: ("处置中", "handling"),
    CaseState.HANDLED: ("已处置", "handled"),
    CaseState.VERIFIED: ("已核查", "verified"),
    CaseState.REOPENED: ("返工", "reopened"),
    CaseState.CLOSED: ("已结案", "closed"),
    CaseState.SUSPENDED: ("挂账", "suspended"),
    CaseState.CANCELLED: ("作废", "cancelled"),
}


class Wording:
    """Words in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._at = 0 if language == "zh" else 1

    def word(self, name: str) -> str:
        """A word of the page."""
        return _WORDS[name][self._at]

    def title(self, span: str) -> str:
        """Title of a report."""
        return TITLES[span][self._at]

    def dimension(self, dimension: Dimension) -> str:
        """By what figures are told apart."""
        return _DIMENSIONS[dimension][self._at]

    def state(self, state: str) -> str:
        """A state of a case."""
        return _STATES[CaseState(state)][self._at]

    def kind(self, kind: str) -> str:
        """A kind."""
        known = KINDS.get(kind)
        return kind if known is None else known.zh if self._at == 0 else known.en

    def figure(self, id_: str) -> str:
        """Name of a count or rate."""
        one = COUNTS.get(id_) or RATES[id_]
        return one.zh if self._at == 0 else one.en

    def meaning(self, count: str) -> str:
        """What a count counts."""
        one = COUNTS[count]
        return one.means_zh if self._at == 0 else one.means_en

    @property
    def hours(self) -> str:
        """What the time to rectify is."""
        return HOURS_ZH if self._at == 0 else HOURS_EN

    @property
    def bands(self) -> list[str]:
        """Names of the bands of the time to rectify."""
        return [zh if self._at == 0 else en for _, zh, en in BANDS]

    def group(self, dimension: Dimension, name: str, camera_names: dict[str, str]) -> str:
        """Name of a group."""
        if not name:
            return self.word("not_said")
        if dimension == "kind":
            return self.kind(name)
        if dimension == "camera" and camera_names.get(name):
            return f"{camera_names[name]} ({name})"
        return name

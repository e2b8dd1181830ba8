"""Which header text of a lender's file is which column of the schema.

Invariants:
- A header is matched by its folded form (NFKC, no zero-width characters, spaces, hyphens or
  underscores, lower case), never by position and never by likeness; a near miss is only suggested.
- A column has at most one header; a prohibited field is refused whatever else is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from shared.schema.finding import Finding
from shared.schema.text import clean

_SEPARATORS = dict.fromkeys(map(ord, " \t\r\n-_·•・‐‑–—"))

# Fields no lender may bring into a credit model; an institution's schema may list more.
PROHIBITED = (
    *("religion", "genes", "genetic", "blood type", "disease", "medical history"),
    *("宗教", "基因", "血型", "疾病", "病史"),
)

# Canonical column ← headers in common use. They apply only where a schema has that column.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "resident_id": ("身份证号", "证件号码", "身份证号码", "客户证件号"),
    "phone": ("手机号", "手机号码", "联系电话", "移动电话"),
    "uscc": ("统一社会信用代码", "信用代码"),
    "bank_card": ("银行卡号", "卡号", "收款账号"),
    "device": ("设备号", "设备指纹", "设备ID"),
    "employer": ("工作单位", "单位名称"),
    "address": ("家庭住址", "居住地址", "现住址"),
    "applied_at": ("申请日期", "进件时间"),
    "disbursed_at": ("放款日期",),
    "dpd": ("逾期天数", "当前逾期天数"),
    "dpd_max": ("最大逾期天数",),
    "mob": ("账龄", "MOB"),
    "bad_flag": ("是否坏客户", "好坏标签", "y"),
    "loan_id": ("借据号", "合同号"),
    "customer_ref": ("客户号",),
    "balance": ("贷款余额", "剩余本金"),
    "credit_limit": ("授信额度",),
    "asset_class": ("五级分类",),
    "emergency_contact_phone": ("紧急联系人电话",),
}


def folded(header: str) -> str:
    """The form in which two header texts are compared. Idempotent."""
    return clean(clean(header).translate(_SEPARATORS).casefold())


def is_prohibited(header: str, prohibited: Iterable[str]) -> str | None:
    """The prohibited field that a header contains, or None."""
    text = folded(header)
    return next((field for field in prohibited if folded(field) and folded(field) in text), None)


@dataclass(frozen=True)
class HeaderMatch:
    """`position` of each column found; the headers nobody asked for; what is wrong."""

    position: Mapping[str, int]
    ignored: tuple[str, ...]
    errors: tuple[Finding, ...]


def match_headers(
    headers: Sequence[str],
    required: Sequence[str],
    aliases: Mapping[str, Sequence[str]],
    prohibited: Sequence[str] = (),
) -> HeaderMatch:
    """Find every required column among the file's headers, in the file's order.

    `aliases` are the schema's own, by column name; the well-known ones apply after them.
    """
    owner = _owners(required, aliases)
    homes: dict[str, list[int]] = {}
    ignored, errors = [], []
    for position, header in enumerate(headers):
        if field := is_prohibited(header, prohibited):
            errors.append(_prohibited(header, field))
        elif (name := owner.get(folded(header))) is not None:
            homes.setdefault(name, []).append(position)
        else:
            ignored.append(clean(header))
    errors += [_double(name, [headers[i] for i in at]) for name, at in homes.items() if len(at) > 1]
    errors += [_absent(name, ignored) for name in required if name not in homes]
    return HeaderMatch({name: at[0] for name, at in homes.items()}, tuple(ignored), tuple(errors))


def _owners(required: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Folded header → column; a column's own name wins over any alias."""
    owner = {folded(name): name for name in required}
    for source in (aliases, ALIASES):
        for name in required:
            for alias in source.get(name, ()):
                owner.setdefault(folded(alias), name)
    return owner


def _prohibited(header: str, field: str) -> Finding:
    return Finding(
        clean(header),
        f"this field is prohibited in the consortium ({field})",
        "take the column out of the file; it must not be read at all",
    )


def _double(name: str, headers: Sequence[str]) -> Finding:
    texts = ", ".join(repr(clean(header)) for header in headers)
    return Finding(
        name,
        f"{len(headers)} headers name this column: {texts}",
        "keep the right one and rename or remove the others",
    )


def _absent(name: str, ignored: Sequence[str]) -> Finding:
    near = get_close_matches(folded(name), [folded(header) for header in ignored], n=1, cutoff=0.7)
    hint = next((header for header in ignored if near and folded(header) == near[0]), "")
    if hint:
        return Finding(name, "there is no such header", f"did you mean {hint!r}? rename it")
    return Finding(name, "there is no such header", "add the column, or an alias in the schema")

"""What a run of the ingest did, for people and for programs."""

from __future__ import annotations

import json

from django.core.management.base import OutputWrapper

from sessions_app.ingest.report import Report

SHOWN = 20


def tell(report: Report, out: OutputWrapper, *, as_json: bool = False, quiet: bool = False) -> None:
    """Print it; when `quiet` only what is news."""
    if quiet and not (report.parsed or report.failed):
        return
    out.write(json.dumps(report.as_json(), ensure_ascii=False) if as_json else _sentences(report))
    out.flush()


def _sentences(report: Report) -> str:
    lines = [
        f"{report.seen} files: {report.parsed} read, {report.unchanged} unchanged,"
        f" {report.failed} failed. {len(report.created)} new sessions,"
        f" {len(report.updated)} updated, {report.messages} messages,"
        f" {report.bytes / 1e6:.1f} MB in {report.seconds:.1f} s."
    ]
    if report.restored:
        lines.append(f"{report.restored} came back from the trash.")
    for problem in report.problems[:SHOWN]:
        place = f"{problem.path}:{problem.line}" if problem.line else problem.path
        lines.append(f"  skipped {ascii(place)[1:-1]}: {ascii(problem.reason)[1:-1]}")
    if report.problem_count > SHOWN:
        lines.append(f"  and {report.problem_count - SHOWN} more; see /ingest/")
    return "\n".join(lines)

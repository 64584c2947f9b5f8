"""Add up a plain-text timesheet.

One entry a line: a day, a span of time, a project. A `#` starts a comment. A span may pass midnight.

    2026-03-02 09:00-12:30 writing
    2026-03-02 23:30-00:15 on-call  # pager
"""

from collections.abc import Mapping


class TimesheetError(ValueError):
    """A line is not an entry; the message says which line, and why."""


def totals(text: str) -> dict[str, int]:
    """Minutes per project, in the order in which the projects first appear."""
    result = {}
    number = 0
    for line in text.split("\n"):
        number = number + 1
        if "#" in line:
            line = line[: line.index("#")]
        line = line.strip()
        if line != "":
            parts = line.split()
            if len(parts) == 3:
                span = parts[1].split("-")
                if len(span) == 2:
                    start = span[0].split(":")
                    if len(start) == 2 and start[0].isdigit() and start[1].isdigit():
                        start_minutes = int(start[0]) * 60 + int(start[1])
                    else:
                        raise TimesheetError(f"line {number}: {span[0]} is not a time")
                    end = span[1].split(":")
                    if len(end) == 2 and end[0].isdigit() and end[1].isdigit():
                        end_minutes = int(end[0]) * 60 + int(end[1])
                    else:
                        raise TimesheetError(f"line {number}: {span[1]} is not a time")
                    if end_minutes < start_minutes:
                        minutes = end_minutes + 24 * 60 - start_minutes
                    else:
                        minutes = end_minutes - start_minutes
                    if parts[2] in result:
                        result[parts[2]] = result[parts[2]] + minutes
                    else:
                        result[parts[2]] = minutes
                else:
                    raise TimesheetError(f"line {number}: {parts[1]} is not a span of time")
            else:
                raise TimesheetError(f"line {number}: expected a day, a span of time and a project")
    return result


def hours(minutes: int) -> str:
    """Minutes as hours: 75 is `1:15`."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def table(minutes_per_project: Mapping[str, int]) -> str:
    """The totals as an aligned table, the longest first, with a sum below."""
    names = []
    for name in minutes_per_project:
        place = 0
        while place < len(names) and minutes_per_project[names[place]] >= minutes_per_project[name]:
            place = place + 1
        names.insert(place, name)
    total = 0
    width = len("total")
    for name in names:
        total = total + minutes_per_project[name]
        if len(name) > width:
            width = len(name)
    text = ""
    for name in names:
        spent = hours(minutes_per_project[name])
        text = text + name + " " * (width - len(name)) + "  " + " " * (6 - len(spent)) + spent + "\n"
    spent = hours(total)
    return text + "total" + " " * (width - len("total")) + "  " + " " * (6 - len(spent)) + spent

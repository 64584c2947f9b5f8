"""The tests of the sample: standard library only, so that they run on any machine."""

import unittest

from timesheet import TimesheetError, hours, table, totals

WEEK = """\
2026-03-02 09:00-12:30 writing
2026-03-02 13:15-17:00 garden   # rain after four

2026-03-03 09:00-09:45 writing
2026-03-03 23:30-00:15 on-call
"""


class TotalsTest(unittest.TestCase):
    def test_adds_up_each_project_in_order_of_appearance(self):
        self.assertEqual(list(totals(WEEK).items()), [("writing", 255), ("garden", 225), ("on-call", 45)])

    def test_a_span_may_pass_midnight(self):
        self.assertEqual(totals("2026-03-03 23:30-00:15 on-call"), {"on-call": 45})

    def test_comments_and_empty_lines_count_for_nothing(self):
        self.assertEqual(totals("# a new week\n\n   \n"), {})

    def assert_refused(self, text, message):
        with self.assertRaises(TimesheetError) as caught:
            totals(text)
        self.assertEqual(str(caught.exception), message)

    def test_a_line_with_a_part_missing(self):
        self.assert_refused("\n2026-03-02 writing", "line 2: expected a day, a span of time and a project")

    def test_a_span_without_an_end(self):
        self.assert_refused("2026-03-02 09:00 writing", "line 1: 09:00 is not a span of time")

    def test_times_that_are_none(self):
        self.assert_refused("2026-03-02 nine-10:00 writing", "line 1: nine is not a time")
        self.assert_refused("2026-03-02 09:00-10 writing", "line 1: 10 is not a time")


class TableTest(unittest.TestCase):
    def test_hours(self):
        self.assertEqual([hours(0), hours(75), hours(600)], ["0:00", "1:15", "10:00"])

    def test_longest_first_with_a_sum(self):
        self.assertEqual(
            table({"garden": 225, "writing": 255}),
            "writing    4:15\ngarden     3:45\ntotal      8:00",
        )


if __name__ == "__main__":
    unittest.main()

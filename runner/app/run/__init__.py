"""``bridge-run FILE``: one run, from its walls to its report, the first time and when it goes on."""

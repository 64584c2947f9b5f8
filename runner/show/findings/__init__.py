"""Findings for programs: JSON, GitHub, JUnit, SARIF."""

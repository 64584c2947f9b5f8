"""What every room may say: places in a file, findings, errors, templates, units."""

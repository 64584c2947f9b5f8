"""``bridge-run doctor``: what is looked at, on this machine and on the servers."""

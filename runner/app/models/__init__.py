"""``bridge-run models``: what the servers have, and what comes into their memory and out of it."""

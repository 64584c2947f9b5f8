"""One file a family of rules; each rule is a function named after its code."""

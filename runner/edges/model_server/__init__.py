"""Model servers over HTTP: which kind answers, what it has, what it says, what it complains of."""

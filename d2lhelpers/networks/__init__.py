"""Networks looked at from outside: their graph, and their layers in a table."""

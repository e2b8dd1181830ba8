"""The borrowing desk: events of all lenders under tokens, and a table of bands for all of them."""

"""What a query is: pictures given as files, URLs or ids, and the options of the search."""

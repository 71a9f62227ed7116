"""Picture files of each format without the place they were taken at, their pixels untouched."""

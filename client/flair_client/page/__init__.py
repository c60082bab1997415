"""Pages of HTML in one file, with small pictures: texts and numbers in, HTML out."""

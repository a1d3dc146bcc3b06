"""Everything that people see, as frozen values and as the documents of `-o json`.

The command line renders them, and so may a page. Nothing here prints, and nothing knows a terminal.
"""

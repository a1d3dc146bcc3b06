"""Views as people read them in a terminal: the cells of tables, lines, trees and pictures."""

"""The files that hold cells x genes: a reader per format, behind one interface."""

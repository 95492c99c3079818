"""What goes over the wire: plain values in, JSON-ready dicts out.

Pages, objects and errors are built here and nowhere else. Nothing here knows Django.
"""

"""What an application sees behind nginx, at a port and at a Unix socket."""

"""What counts requests: in this process, in Django's caches, and on storages of ``limits``."""

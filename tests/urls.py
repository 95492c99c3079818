"""No routes: each test mounts its own with ``urls``."""

urlpatterns: list[object] = []
